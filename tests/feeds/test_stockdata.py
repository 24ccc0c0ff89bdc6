"""The StockData.org connector against a loopback venue, over real sockets.

Long because every error of the venue and every trap of its answers has a scene of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from scenes import CollectingSink, play, running
from test_stockdata_parser import at

from arena.errors import FeedError
from arena.feeds.base import FeedState
from arena.feeds.fakes.stockdata import FakeStockData
from arena.feeds.live import LiveMarket
from arena.feeds.stockdata.budget import EXTENDED, MemoryUsage
from arena.feeds.stockdata.feed import StockDataFeed, StockDataTiming

TOKEN = "s3cr3t/token+of-the=plan"
QUICK = StockDataTiming(
    connect_timeout=60.0, answer_timeout=60.0, first_delay=0.01, max_delay=0.02, rate_window=0.05, idle_delay=0.01
)
OPEN, CLOSED = at("2026-07-22T10:00"), at("2026-07-25T12:00")
TRADED = "2026-07-22T09:59:58.000000"


class Clock:
    """A clock that starts at a given time and runs on."""

    def __init__(self, start: float = OPEN) -> None:
        self.set(start)

    def set(self, start: float) -> None:
        self._offset = start - time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() + self._offset


def feed_of(fake: FakeStockData, symbols: tuple[str, ...] = ("SPY", "QQQ"), **more: object) -> StockDataFeed:
    """Return a feed whose plan is large enough to poll a hundred times a second."""
    given = {"poll_seconds": 0.01, "daily_requests": 10**8, "timing": QUICK, "clock": Clock(), **more}
    return StockDataFeed(symbols, TOKEN, fake.url, **given)  # type: ignore[arg-type]


def venue(limit: int | None = None) -> FakeStockData:
    fake = FakeStockData(TOKEN, limit=limit)
    fake.quote("SPY", 512.5, TRADED)
    fake.quote("QQQ", 440, TRADED)
    return fake


def test_quotes_arrive_with_the_time_of_their_trade_and_ours() -> None:
    async def scene() -> None:
        async with venue() as fake:
            clock = Clock()
            async with running(feed_of(fake, clock=clock)) as heard:
                await heard.until(lambda: len(heard.updates) >= 2)
            assert [(u.symbol, u.price, u.event_time, u.feed) for u in heard.updates[:2]] == [
                ("SPY", 512.5, OPEN - 2, "stockdata"),
                ("QQQ", 440.0, OPEN - 2, "stockdata"),
            ]
            assert OPEN <= heard.updates[0].receive_time <= clock()
            assert heard.states[:2] == [
                (FeedState.CONNECTING, "Asking 127.0.0.1 for prices."),
                (FeedState.LIVE, "Receiving prices from StockData.org."),
            ]
            path, query = fake.requests[0]
            assert path == "/v1/data/quote"
            assert query == {
                "symbols": "SPY,QQQ", "extended_hours": "false", "key_by_ticker": "false", "api_token": TOKEN,
            }  # fmt: skip

    play(scene)


def test_a_poll_without_a_new_trade_confirms_the_old_one() -> None:
    async def scene() -> None:
        async with venue() as fake:
            feed = feed_of(fake, ("SPY",))
            async with running(feed) as heard:
                await heard.until(lambda: len(heard.updates) == 2)
                fake.quote("SPY", 513, "2026-07-22T10:00:01.000000")
                await heard.until(lambda: heard.prices[-1] == 513.0)
            first, again = heard.updates[:2]
            assert (again.price, again.event_time) == (first.price, first.event_time)
            assert again.receive_time > first.receive_time
            assert feed.counts["unchanged"] >= 1
            assert len(heard.states) == 2

    play(scene)


def test_symbols_go_out_in_groups_of_what_the_plan_allows() -> None:
    async def scene() -> None:
        async with venue() as fake:
            symbols = ("SPY", "a", "B", "C", "QQQ", "spy")
            async with running(feed_of(fake, symbols, symbols_per_request=2, hours=EXTENDED)) as heard:
                await heard.until(lambda: len(heard.updates) == 2)
            assert [query["symbols"] for _, query in fake.requests[:3]] == ["SPY,A", "B,C", "QQQ"]
            assert fake.requests[0][1]["extended_hours"] == "true"

    play(scene)


def test_a_symbol_the_venue_leaves_out_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with venue() as fake:
            feed = feed_of(fake, ("SPY", "NOSUCH"))
            async with running(feed) as heard:
                await fake.requested(4)
                fake.quote("NOSUCH", 7, TRADED)
                await heard.until(lambda: 7.0 in heard.prices)
                await heard.until(lambda: heard.states[-1][1] == "Receiving prices from StockData.org.")
            assert feed.counts["missing"] == 1
            assert heard.states[1][1].endswith("It has no quotes of NOSUCH.")

    with caplog.at_level(logging.WARNING):
        play(scene)
    assert [record.message for record in caplog.records if "NOSUCH" in record.message] == [
        "StockData.org has no quote of NOSUCH, or the plan allows less than 2 symbols a request"
    ]


def test_every_answer_is_recorded_as_it_came_before_it_is_read() -> None:
    async def scene() -> None:
        async with venue() as fake:
            fake.refuse(503)
            fake.reply(200, b"{nonsense")
            async with running(feed_of(fake)) as heard:
                await heard.until(lambda: bool(heard.updates))
            assert b"maintenance_mode" in heard.frames[0].payload
            assert heard.frames[1].payload == b"{nonsense"
            assert b'"price":512.5' in heard.frames[2].payload
            assert heard.frames[2].feed == "stockdata"
            assert heard.frames[2].receive_time_ns == round(heard.updates[0].receive_time * 1e9)

    play(scene)


def test_a_closed_market_is_asked_once_for_a_price_and_not_again_until_it_opens() -> None:
    async def scene() -> None:
        async with venue() as fake:
            clock = Clock(CLOSED)
            feed = feed_of(fake, clock=clock)
            assert not feed.pace("SPY", clock()).open
            async with running(feed) as heard:
                await heard.until(lambda: "are closed" in heard.sentences)
                assert len(fake.requests) == 1
                assert heard.prices == [512.5, 440.0]
                assert heard.states[-1][0] is FeedState.LIVE
                market = LiveMarket([feed])
                for update in heard.updates:
                    market.on_price(update)
                assert {each.state for each in market.freshness(clock()).values()} == {"closed"}
                clock.set(OPEN)
                await fake.requested(3)
            assert feed.pace("SPY", clock()).open

    play(scene)


def test_a_first_price_is_tried_for_until_it_comes_even_while_the_market_is_closed() -> None:
    async def scene() -> None:
        async with venue() as fake:
            fake.refuse(500, times=2)
            async with running(feed_of(fake, clock=Clock(CLOSED))) as heard:
                await heard.until(lambda: "are closed" in heard.sentences)
            assert len(fake.requests) == 3

    play(scene)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "malformed (HTTP 400)"),
        (401, "does not accept the token (HTTP 401)"),
        (403, "does not include quotes (HTTP 403)"),
        (404, "no quotes at this address (HTTP 404)"),
    ],
)
def test_a_permanent_refusal_ends_the_feed_with_a_sentence(status: int, words: str) -> None:
    async def scene() -> None:
        async with venue() as fake:
            fake.refuse(status)
            with pytest.raises(FeedError) as caught:
                await feed_of(fake).run(CollectingSink())
            assert words in str(caught.value)
            assert TOKEN not in repr(caught.value)
            assert len(fake.requests) == 1

    play(scene)


def test_a_wrong_token_is_refused_by_the_venue_itself() -> None:
    async def scene() -> None:
        async with FakeStockData("another") as fake:
            with pytest.raises(FeedError, match="check STOCKDATA_API_KEY"):
                await feed_of(fake).run(CollectingSink())

    play(scene)


def test_a_used_up_day_is_waited_out_until_midnight_utc() -> None:
    async def scene() -> None:
        async with venue() as fake:
            fake.refuse(402)
            clock, usage = Clock(), MemoryUsage()
            feed = feed_of(fake, ("SPY",), clock=clock, usage=usage, daily_requests=500)
            async with running(feed) as heard:
                await heard.until(lambda: "used up" in heard.sentences)
                assert usage.used("2026-07-22") == 500
                assert heard.states[-1][0] is FeedState.DOWN
                clock.set(at("2026-07-23T10:00"))
                await heard.until(lambda: bool(heard.updates))
            assert heard.states[-1][0] is FeedState.LIVE

    play(scene)


def test_the_days_budget_is_never_exceeded_and_survives_a_restart() -> None:
    async def scene() -> None:
        async with venue() as fake:
            fake.refuse(500, times=99)
            usage = MemoryUsage()
            for _ in range(2):
                feed = feed_of(fake, ("SPY",), clock=Clock(CLOSED), usage=usage, daily_requests=5)
                async with running(feed) as heard:
                    await heard.until(lambda: "used up" in heard.sentences)
            assert len(fake.requests) == usage.used("2026-07-25") == 5
            assert not await feed.reachable(1.0)
            assert len(fake.requests) == 5

    play(scene)


def test_the_venues_own_count_lowers_the_budget() -> None:
    async def scene() -> None:
        async with venue(limit=40) as fake:
            fake.used = 9
            usage = MemoryUsage()
            feed = feed_of(fake, ("SPY",), usage=usage, daily_requests=100)
            async with running(feed) as heard:
                await heard.until(lambda: "Receiving" in heard.sentences)
            # 30 remain, for the six hours to the close.
            assert usage.used("2026-07-22") == 70
            assert feed.pace("SPY", OPEN).interval == pytest.approx(6 * 3600 / 30, abs=1)

    play(scene)


def test_too_many_requests_a_minute_are_waited_out() -> None:
    async def scene() -> None:
        async with venue() as fake:
            fake.refuse(429)
            timing = StockDataTiming(first_delay=0.01, max_delay=0.01, rate_window=0.3, idle_delay=0.01)
            async with running(feed_of(fake, timing=timing)) as heard:
                await heard.until(lambda: bool(heard.updates))
                waited = time.monotonic() - heard.state_times[1]
            assert "HTTP 429" in heard.states[1][1]
            assert waited >= 0.3

    play(scene)


@pytest.mark.parametrize("fault", ["broken", "list", "empty", "unpriced", "cut", "500", "redirect", "huge"])
def test_an_unreadable_answer_is_a_failed_poll_and_no_more(fault: str) -> None:
    async def scene() -> None:
        async with venue() as fake:
            if fault == "cut":
                fake.cut(times=2)
            elif fault == "500":
                fake.refuse(500, times=2)
            elif fault == "redirect":
                fake.reply(302, b"", {"Location": f"{fake.url}/?api_token={TOKEN}"}, times=2)
            else:
                body = {"broken": b'{"data":[{"ti', "list": [], "empty": {"data": []}, "huge": b" " * (1 << 21)}
                unpriced = {"data": [{"ticker": "SPY", "price": None}, {"ticker": "QQQ", "price": 0}]}
                fake.reply(200, body.get(fault, unpriced), times=2)
            feed = feed_of(fake)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            assert FeedState.DOWN in dict(heard.states)
            assert feed.counts["failures"] == 2
            assert heard.prices[:2] == [512.5, 440.0]

    play(scene)


@pytest.mark.parametrize("fault", ["mute", "drip"])
def test_a_request_to_a_venue_that_never_answers_times_out(fault: str) -> None:
    async def scene() -> None:
        async with venue() as fake:
            fake.mute, fake.drip = fault == "mute", 0.05 if fault == "drip" else 0.0
            timing = StockDataTiming(answer_timeout=0.5, first_delay=0.01, max_delay=0.02, idle_delay=0.01)
            async with running(feed_of(fake, timing=timing)) as heard:
                await heard.until(lambda: "did not answer in time" in heard.sentences)
                fake.mute, fake.drip = False, 0.0
                await heard.until(lambda: heard.states[-1][0] is FeedState.LIVE)

    play(scene)


def test_a_dead_address_is_tried_again_and_costs_no_requests() -> None:
    async def scene() -> None:
        async with venue() as gone:
            feed = feed_of(gone)
        async with running(feed) as heard:
            await heard.until(lambda: FeedState.DOWN in dict(heard.states))
        assert "cannot be reached" in heard.sentences
        assert feed.counts["requests"] == 0
        assert feed.counts["failures"] >= 1

    play(scene)


def test_a_feed_is_reachable_only_with_a_price_and_run_uses_that_response() -> None:
    async def scene() -> None:
        async with venue() as fake:
            feed = feed_of(fake, clock=Clock(CLOSED))
            assert await feed.reachable(60.0)
            async with running(feed) as heard:
                await heard.until(lambda: "are closed" in heard.sentences)
            assert heard.prices == [512.5, 440.0]
            assert len(fake.requests) == len(heard.frames) == 1
            fake.refuse(401)
            assert not await feed_of(fake).reachable(60.0)
            fake.mute = True
            assert not await feed_of(fake).reachable(0.1)
            url = fake.url
        assert not await StockDataFeed(["SPY"], TOKEN, url, timing=QUICK).reachable(60.0)

    play(scene)


def test_an_early_response_that_has_expired_is_not_used() -> None:
    async def scene() -> None:
        async with venue() as fake:
            clock = Clock()
            feed = feed_of(fake, ("SPY",), clock=clock)
            assert await feed.reachable(60.0)
            clock.set(OPEN + 61)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            assert heard.updates[0].receive_time >= OPEN + 61

    play(scene)


@pytest.mark.parametrize("quoted", [TOKEN, "s3cr3t%2Ftoken%2Bof-the%3Dplan"])
def test_the_token_is_in_no_log_state_error_or_frame(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], quoted: str
) -> None:
    heards: list[CollectingSink] = []
    raised: list[BaseException | None] = []

    async def scene() -> None:
        asyncio.get_running_loop().set_debug(True)
        async with venue() as fake:
            # The venue quotes what it was sent, in every way an answer can go wrong.
            for status in (200, 500, 302, 429):
                fake.reply(
                    status, {"error": {"message": f"?api_token={quoted}"}}, {"Location": f"/?api_token={quoted}"}
                )
            fake.cut()
            feed = feed_of(fake)
            assert TOKEN not in repr(feed)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            heards.append(heard)
            fake.reply(400, {"error": {"message": quoted}})
            with pytest.raises(FeedError) as caught:
                await feed_of(fake).run(heard)
            raised.append(caught.value)
            gone = feed_of(fake)
        async with running(gone) as heard:
            await heard.until(lambda: FeedState.DOWN in dict(heard.states))
        heards.append(heard)

    with caplog.at_level(logging.DEBUG):
        for name in ("httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection", "asyncio", "arena"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        play(scene)
    logged = "\n".join(f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records)
    assert "HTTP Request: GET" in logged  # the client does log its addresses
    error = raised[0]
    while error is not None:
        logged += f"{error!r} {error.args!r}"
        error = error.__cause__ or error.__context__
    said = repr([(heard.states, heard.frames, heard.updates) for heard in heards])
    out, err = capfd.readouterr()
    for text in (logged, said, out, err):
        assert TOKEN not in text
        assert "s3cr3t" not in text


def test_a_proxy_of_the_environment_is_used_but_not_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with venue() as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            feed = StockDataFeed(["SPY"], TOKEN, "http://venue.invalid", timing=QUICK)
            assert await feed.reachable(60.0)
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
            assert not await feed.reachable(60.0)
            assert await feed_of(proxy).reachable(60.0)

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    play(scene)


def test_a_proxy_that_cannot_be_used_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        feed = StockDataFeed(["SPY"], TOKEN, "http://venue.invalid", timing=QUICK)
        assert not await feed.reachable(60.0)
        with pytest.raises(FeedError, match=r"proxy for StockData\.org cannot be used"):
            await feed.run(CollectingSink())

    monkeypatch.setenv("http_proxy", "nonsense://127.0.0.1:1")
    play(scene)


@pytest.mark.parametrize(
    ("symbols", "more", "words"),
    [
        ([], {}, "at least one symbol"),
        (["A,B"], {}, "no symbol"),
        ([" "], {}, "no symbol"),
        (["A B"], {}, "no symbol"),
        ([f"S{n}" for n in range(301)], {}, "301 symbols take 101 requests"),
        (["A"], {"token": ""}, "set STOCKDATA_API_KEY"),
        (["A"], {"base_url": "ftp://x"}, "address of StockData.org is wrong"),
        (["A"], {"base_url": "nonsense"}, "address of StockData.org is wrong"),
        (["A"], {"base_url": "http://["}, "address of StockData.org is wrong"),
        (["A"], {"base_url": "https://x:99999"}, "address of StockData.org is wrong"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(symbols: list[str], more: dict[str, str], words: str) -> None:
    with pytest.raises(FeedError, match=words):
        StockDataFeed(symbols, **{"token": TOKEN, **more})
