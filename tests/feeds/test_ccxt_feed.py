"""The ccxt feed against a loopback Kraken, over real sockets and through the real package."""

from __future__ import annotations

import sys
import time

import orjson
import pytest
from scenes import CollectingSink, play, running

from arena.errors import FeedError
from arena.feeds.base import FeedState
from arena.feeds.ccxt.exchange import CcxtTiming
from arena.feeds.ccxt.feed import CcxtFeed
from arena.feeds.ccxt.parser import CcxtParser, frame_of
from arena.feeds.fakes.kraken import FakeKraken

needs_ccxt = pytest.mark.usefixtures("package")
# aiohttp is handed an option that newer Pythons do not need.
pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed:DeprecationWarning")

BTC, ETH = "BTC/USD", "ETH/USD"
QUICK = CcxtTiming(spacing=0.001, answer_timeout=60.0, first_delay=0.01, max_delay=0.02, rate_window=0.4)


@pytest.fixture(scope="module")
def package() -> object:
    """The package, imported before a scene's time runs."""
    return pytest.importorskip("ccxt.async_support", reason="the package ccxt is not installed", exc_type=ImportError)


def feed_of(fake: FakeKraken, symbols: tuple[str, ...] = (BTC, ETH), **more: object) -> CcxtFeed:
    given = {"base_url": fake.url, "timing": QUICK, **more}
    return CcxtFeed("kraken", symbols, 0.01, **given)  # type: ignore[arg-type]


def kraken() -> FakeKraken:
    fake = FakeKraken()
    for base, price in (("BTC", "69000.10"), ("ETH", "3450.5")):
        fake.list_pair(base, "USD")
        fake.ticker(f"{base}/USD", price)
    return fake


# -- frames


def test_a_ticker_is_a_price_at_the_exchanges_time_or_else_at_ours() -> None:
    tickers = [
        {"symbol": BTC, "last": 69000.1, "timestamp": 1_700_000_000_123, "info": {"left": "out"}},
        {"symbol": ETH, "last": "3450.5", "timestamp": None, "bid": 1, "ask": 2},
    ]
    parser = CcxtParser("ccxt:kraken", [BTC, ETH])
    found = parser.parse(frame_of(tickers), 1_700_000_005.0)
    assert [(u.symbol, u.price, u.event_time, u.receive_time, u.feed) for u in found] == [
        (BTC, 69000.1, 1_700_000_000.123, 1_700_000_005.0, "ccxt:kraken"),
        (ETH, 3450.5, 1_700_000_005.0, 1_700_000_005.0, "ccxt:kraken"),
    ]
    assert parser.parse(frame_of(tickers), 1_700_000_006.0)[0].receive_time == 1_700_000_006.0
    assert parser.counts == {"prices": 2, "unchanged": 2}


def test_invalid_tickers_are_counted_and_left_out() -> None:
    parser = CcxtParser("ccxt:kraken", [BTC])
    odd = [
        {"symbol": BTC, "last": None, "bid": 1.0, "ask": 2.0}, {"symbol": BTC, "last": 10**400},
        {"symbol": BTC, "last": float("nan")}, {"symbol": BTC, "last": True}, {"symbol": BTC, "last": object()},
        {"symbol": BTC, "last": 0}, {"symbol": BTC, "last": -1.0}, {"symbol": BTC, "last": "1e999"},
        {"symbol": ETH, "last": 1.0}, {"symbol": None, "last": 1.0}, {"symbol": "\ud800", "last": 1.0}, {}, None, 7,
    ]  # fmt: skip
    assert parser.parse(frame_of(odd), 1.0) == []
    assert parser.counts == {"unpriced": 5, "bad_prices": 3, "unknown": 4}


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"7", b'{"tickers":{}}', b"\xff", b"[" * 99_999])
def test_no_frame_of_ours_is_garbled(payload: bytes) -> None:
    parser = CcxtParser("ccxt:kraken")
    assert parser.parse(payload, 1.0) == []
    assert parser.counts == {"garbled": 1}


# -- the feed


@needs_ccxt
def test_prices_are_polled_recorded_and_passed_on() -> None:
    async def scene() -> None:
        async with kraken() as fake:
            feed = feed_of(fake)
            async with running(feed) as heard:
                await heard.until(lambda: len(heard.updates) == 2)
                fake.ticker(BTC, "69001")
                await heard.until(lambda: 69001.0 in heard.prices)
            assert feed.name == "ccxt:kraken"
            assert heard.prices[:2] == [69000.1, 3450.5]
            assert heard.states == [
                (FeedState.CONNECTING, "Asking kraken for its markets."),
                (FeedState.LIVE, "Receiving prices from kraken."),
            ]
            assert fake.requests[2] == ("/0/public/Ticker", {"pair": "BTCUSD,ETHUSD"})
            again = CcxtParser(feed.name).parse(heard.frames[0].payload, heard.frames[0].receive_time_ns / 1e9)
            assert [(u.symbol, u.price) for u in again] == [(u.symbol, u.price) for u in heard.updates[:2]]
            assert orjson.loads(heard.frames[0].payload)["tickers"][0]["symbol"] == BTC

    play(scene)


@needs_ccxt
def test_symbols_that_cannot_be_requested_together_are_requested_one_by_one() -> None:
    async def scene() -> None:
        async with kraken() as fake:
            async with running(feed_of(fake)) as heard:
                await heard.until(lambda: len(heard.updates) >= 2)
                fake.refuse("EGeneral:Invalid arguments")
                await fake.until(lambda: fake.requests[-1][1] == {"pair": "ETHUSD"})
                count = len(heard.updates)
                await heard.until(lambda: len(heard.updates) >= count + 2)
            assert FeedState.DOWN not in dict(heard.states)

    play(scene)


@needs_ccxt
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("EService:Unavailable", "cannot be reached (ExchangeNotAvailable"),
        ("EGeneral:Too many requests", "asks for fewer requests (DDoSProtection"),
        ("EWho:Knows", "refuses to answer (ExchangeError"),
        ("", "refuses to answer (ExchangeError"),
    ],
)
def test_a_failed_poll_is_reported_and_repeated(error: str, words: str) -> None:
    async def scene() -> None:
        async with kraken() as fake:
            fake.refuse(error)
            feed = feed_of(fake)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
                waited = (
                    time.monotonic() - heard.state_times[[state for state, _ in heard.states].index(FeedState.DOWN)]
                )
            assert words in heard.sentences
            assert heard.states[-1][0] is FeedState.LIVE
            assert waited >= (0.4 if "fewer" in words else 0.0)
            assert feed.counts["failures"] == 1

    play(scene)


@needs_ccxt
@pytest.mark.parametrize("fault", ["broken", "list", "odd", "unpriced", "cut", "500"])
def test_an_unreadable_answer_does_not_end_the_feed(fault: str) -> None:
    async def scene() -> None:
        async with kraken() as fake, running(feed_of(fake)) as heard:
            await heard.until(lambda: len(heard.updates) >= 2)
            bodies = {"broken": b'{"result":', "list": [[1]], "odd": {"error": [], "result": {"BTCUSD": 7}}}
            unpriced = {"error": [], "result": {"BTCUSD": {"c": [None]}, "ETHUSD": {"c": ["0"]}}}
            if fault == "cut":
                fake.cut()
            else:
                fake.reply(500 if fault == "500" else 200, bodies.get(fault, unpriced))
            await heard.until(lambda: FeedState.DOWN in dict(heard.states))
            await heard.until(lambda: heard.states[-1][0] is FeedState.LIVE)
            assert set(heard.prices) == {69000.1, 3450.5}

    play(scene)


@needs_ccxt
@pytest.mark.parametrize("fault", ["mute", "drip"])
def test_a_request_to_an_exchange_that_never_answers_times_out(fault: str) -> None:
    async def scene() -> None:
        async with kraken() as fake:
            timing = CcxtTiming(spacing=0.001, answer_timeout=0.5, first_delay=0.01, max_delay=0.02)
            async with running(feed_of(fake, timing=timing)) as heard:
                await heard.until(lambda: len(heard.updates) >= 2)
                fake.mute, fake.drip = fault == "mute", 0.05 if fault == "drip" else 0.0
                await heard.until(lambda: "did not answer in time" in heard.sentences)
                fake.mute, fake.drip = False, 0.0
                await heard.until(lambda: heard.states[-1][0] is FeedState.LIVE)

    play(scene)


@needs_ccxt
@pytest.mark.parametrize(
    ("error", "words"),
    [("EGeneral:Permission denied", "known customers only"), ("EQuery:Invalid asset pair", "does not serve this")],
)
def test_a_permanent_refusal_ends_the_feed_with_a_sentence(error: str, words: str) -> None:
    async def scene() -> None:
        async with kraken() as fake:
            fake.refuse(error)
            with pytest.raises(FeedError, match=words):
                await feed_of(fake).run(CollectingSink())

    play(scene)


@needs_ccxt
def test_an_unknown_symbol_is_named_with_similar_ones() -> None:
    async def scene() -> None:
        async with kraken() as fake:
            with pytest.raises(FeedError, match=r"kraken has no market 'BTC/USDT'; near to it: BTC/USD\b"):
                await feed_of(fake, ("BTC/USDT",)).run(CollectingSink())
            assert not await feed_of(fake, ("BTC/USDT",)).reachable(60.0)

    play(scene)


@pytest.mark.system
@needs_ccxt
def test_a_symbol_without_a_price_is_named_once() -> None:
    async def scene() -> None:
        async with kraken() as fake:
            fake.ticker(ETH, None)
            feed = feed_of(fake)
            async with running(feed) as heard:
                await heard.until(lambda: len(heard.updates) >= 3)
                fake.ticker(ETH, "5")
                await heard.until(lambda: 5.0 in heard.prices)
            assert "It gives none for ETH/USD." in heard.sentences
            assert heard.states[-1][1] == "Receiving prices from kraken."
            assert feed.counts["missing"] == 1

    play(scene)


@needs_ccxt
def test_a_feed_is_reachable_only_when_a_price_arrives_and_keeps_the_markets() -> None:
    async def scene() -> None:
        async with kraken() as fake:
            feed = feed_of(fake)
            assert await feed.reachable(60.0)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            assert [path for path, _ in fake.requests].count("/0/public/AssetPairs") == 1
            fake.mute = True
            assert not await feed_of(fake).reachable(0.2)
        assert not await feed_of(fake).reachable(60.0)

    play(scene)


@needs_ccxt
def test_the_pace_is_the_polling_interval_or_the_duration_of_a_poll() -> None:
    async def scene() -> None:
        async with kraken() as fake:
            feed = feed_of(fake, timing=CcxtTiming(spacing=0.1))
            assert feed.pace(BTC, 0.0).interval == 0.01
            async with running(feed) as heard:
                await heard.until(lambda: len(heard.updates) >= 4)
            assert feed.pace(BTC, 0.0).interval > 0.05
            assert feed.pace(BTC, 0.0).open

    play(scene)


@needs_ccxt
def test_an_unknown_exchange_is_named_with_similar_ones() -> None:
    with pytest.raises(FeedError, match=r"ccxt knows no exchange 'krakn'; near to it: kraken"):
        CcxtFeed("krakn", [BTC])
    with pytest.raises(FeedError, match=r"ccxt knows no exchange '__doc__'"):
        CcxtFeed("__doc__", [BTC])


def test_without_the_package_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    monkeypatch.setitem(sys.modules, "ccxt.async_support", None)
    with pytest.raises(FeedError, match=r"ccxt:kraken needs the package ccxt: pip install 'arena\[ccxt\]'\.$"):
        CcxtFeed("kraken", [BTC])


def test_no_symbols_are_refused_at_once() -> None:
    with pytest.raises(FeedError, match="at least one symbol"):
        CcxtFeed("kraken", [])
