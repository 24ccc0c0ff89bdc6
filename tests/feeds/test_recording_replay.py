"""A replayed recording shows the same prices at every tick as the live market did."""

from __future__ import annotations

import gzip
import math
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import MarketDataError
from arena.feeds.base import History, PriceUpdate, RawFrame
from arena.feeds.binance.feed import BinanceFeed
from arena.feeds.binance.parser import BinanceParser, wrap_rest_trades
from arena.feeds.history import load_history
from arena.feeds.live import LiveMarket
from arena.feeds.recording.layout import RecordedFeed, RecordingSession
from arena.feeds.recording.replay import PriceDecision, SessionReplay
from arena.feeds.recording.writer import FlushPolicy, Recording
from arena.feeds.venues import parser_for

BTC, ETH = "BTCUSDT", "ETHUSDT"
SYMBOLS = (BTC, ETH)
START = 1_700_000_000
SECOND = 10**9


def trade(symbol: str, number: int, price: float, made: float) -> bytes:
    event = {"e": "trade", "E": 0, "s": symbol, "t": number, "p": repr(price), "q": "1", "T": round(made * 1000)}
    return orjson.dumps({"stream": f"{symbol.lower()}@trade", "data": event})


def frame(received: float, payload: bytes, feed: str = "binance") -> RawFrame:
    return RawFrame(feed, round(received * 1000) * 10**6, payload)


def recorded(path: Path, frames: Sequence[RawFrame], feeds: Sequence[RecordedFeed] | None = None) -> str:
    feeds = feeds or [RecordedFeed("binance", SYMBOLS)]
    recording = Recording(path, feeds, append=path.exists(), flush=FlushPolicy(waiting_bytes=2**30))
    for one in frames:
        recording.write(one)
    recording.close()
    assert recording.lost == sum(one.feed not in {feed.name for feed in feeds} for one in frames)
    return str(path)


def shown_live(frames: Sequence[RawFrame], times: Sequence[float]) -> list[dict[str, float]]:
    """Return the prices that a live market with these frames shows at each of the times."""
    market, parser = LiveMarket([BinanceFeed(SYMBOLS)]), BinanceParser(SYMBOLS)
    waiting = list(frames)
    shown = []
    for time in times:
        while waiting and waiting[0].receive_time_ns / 1e9 <= time:
            arrived = waiting.pop(0)
            for update in parser.parse(arrived.payload, arrived.receive_time_ns / 1e9):
                market.on_price(update)
        shown.append(market.prices_at(time))
    return shown


def shown_by(history: History) -> list[dict[str, float]]:
    return [
        {name: price for name, price in zip(history.symbols, row, strict=True) if not math.isnan(price)}
        for row in history.prices.tolist()
    ]


moments = st.tuples(
    st.integers(0, 400),  # milliseconds since the frame before
    st.integers(-3000, 1500),  # the venue's time less ours
    st.sampled_from(SYMBOLS),
    st.integers(0, 30),  # the trade's number, which need not go up
    st.sampled_from(["1.5", "2.5", "0", "nan", "3.5", "4.5"]),
)


@settings(deadline=None, max_examples=80)
@given(told=st.lists(moments, min_size=1, max_size=40), interval=st.sampled_from([0.1, 0.25, 1.0, 3.0]))
def test_a_replay_shows_what_a_live_market_showed(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, int, str, int, str]], interval: float
) -> None:
    frames, now = [], START * 1000
    for step, shift, symbol, number, price in told:
        now += step
        event = trade(symbol, number, 1.0, (now + shift) / 1000).replace(b'"1.0"', f'"{price}"'.encode())
        frames.append(frame(now / 1000, event))
    path = recorded(tmp_path_factory.mktemp("replay") / "m.arena", frames)
    try:
        history = load_history([path], interval=None, default_interval=interval)
    except MarketDataError:
        assert shown_live(frames, [now / 1000 + 60]) == [{}]
        return
    live = shown_live(frames, history.times.tolist())
    assert shown_by(history) == live
    first = history.times[0] - interval
    assert shown_live(frames, [first]) == [{}]


@settings(deadline=None)
@given(
    told=st.lists(
        st.tuples(
            st.sampled_from(["first", "second"]), st.sampled_from(["own", "shared", "new"]),
            st.integers(-5, 5), st.sampled_from([1.0, 2.0, math.nan, -1.0]),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_a_symbol_of_two_feeds_has_the_same_owner_live_and_in_a_replay(told: list[tuple[str, str, int, float]]) -> None:
    """Only the names and symbols of the feeds matter here."""
    listed = {"first": ("own", "shared"), "second": ("shared",)}
    feeds = [BinanceFeed(symbols) for symbols in listed.values()]
    for feed, (name, symbols) in zip(feeds, listed.items(), strict=True):
        feed.name, feed.symbols = name, symbols
    market = LiveMarket(feeds)
    session = RecordingSession(tuple(RecordedFeed(name, symbols) for name, symbols in listed.items()), 0.0)
    playing = SessionReplay(session, lambda feed: BinanceParser(feed.symbols))
    shown: dict[str, float] = {}
    for now, (feed_name, symbol, shift, price) in enumerate(told):
        update = PriceUpdate(symbol, price, now + shift, float(now), feed_name)
        market.on_price(update)
        if playing.decide(update) is PriceDecision.SHOWN:
            shown[symbol] = price
        assert market.prices_at(now) == dict(sorted(shown.items()))


def test_trades_fetched_after_a_gap_count_when_they_came(tmp_path: Path) -> None:
    answer = wrap_rest_trades(
        BTC, orjson.dumps([{"id": n, "price": f"{n}", "time": (START + n) * 1000} for n in (1, 2, 3)])
    )
    frames = [
        frame(START + 0.5, trade(BTC, 0, 10.0, START + 0.4)),
        frame(START + 4.5, trade(BTC, 4, 40.0, START + 4.4)),
        frame(START + 5.5, answer),
        frame(START + 6.5, trade(BTC, 4, 40.0, START + 4.4)),
        frame(START + 7.0, trade(BTC, 5, 50.0, START + 6.9)),
    ]
    history = load_history([recorded(tmp_path / "m.arena", frames)], interval=None)
    assert history.prices[:, 0].tolist() == [10.0, 10.0, 10.0, 10.0, 40.0, 40.0, 50.0]
    # Numbers below the newest one are no news, whoever brings them.
    assert history.defects == {}


def test_a_later_session_begins_with_fresh_parsers_in_the_same_market(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    recorded(path, [frame(START + 0.5, trade(BTC, 900, 1.0, START + 0.5))])
    recorded(path, [frame(START + 9.5, trade(ETH, 1, 2.0, START + 9.5)), frame(START + 10, trade(BTC, 1, 3.0, START))])
    history = load_history([str(path)], interval=None)
    assert shown_by(history)[0] == {BTC: 1.0}
    assert shown_by(history)[-1] == {BTC: 3.0, ETH: 2.0}
    assert any("3 frames in 2 sessions" in note for note in history.notes)


def test_a_flag_names_the_symbol_of_a_recording_as_of_any_file(tmp_path: Path) -> None:
    both = [frame(START + 0.5, trade(BTC, 1, 1.0, START)), frame(START + 0.6, trade(ETH, 1, 2.0, START))]
    path = recorded(tmp_path / "m.arena", both)
    assert load_history([f"{ETH}={path}"], interval=None).symbols == (ETH,)
    with pytest.raises(MarketDataError, match="holds 2 symbols"):
        load_history([f"SOLUSDT={path}"], interval=None)
    alone = recorded(tmp_path / "alone.arena", both[:1])
    assert load_history([f"XBT={alone}"], interval=None).symbols == ("XBT",)


def test_damage_a_torn_tail_and_unknown_feeds_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    for n in range(3):
        recorded(path, [frame(START + n, trade(BTC, n, 1.0, START + n))])
    strange = frame(START, b"{}", "nowhere")
    recorded(path, [strange, strange], [RecordedFeed("nowhere", ())])
    data = bytearray(path.read_bytes())
    second_frames = [found.start() for found in re.finditer(b"BLK", data)][3]
    data[second_frames + 20] ^= 1
    path.write_bytes(bytes(data) + b"\x93BLK torn")
    history = load_history([str(path)], interval=None)
    assert history.defects["damaged_blocks"] == history.defects["torn_tail"] == 1
    assert history.defects["unread_frames"] == 2
    notes = " ".join(history.notes)
    assert "are damaged and were skipped" in notes
    assert "last 9 bytes are no whole block" in notes
    assert "frames of the feed nowhere cannot be read" in notes


def test_a_recording_without_a_price_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    path = recorded(tmp_path / "m.arena", [frame(START, b'{"result":null,"id":1}')])
    with pytest.raises(MarketDataError, match=r"m\.arena holds no usable price\. .*1 frames"):
        load_history([path], interval=None)


LIMITED = """
import resource, sys
from arena.feeds.history import load_history
import arena.feeds.binance.parser, arena.feeds.files.recording
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 8 * 2**20, resource.RLIM_INFINITY))
history = load_history([sys.argv[1]], interval=None)
print(len(history.times), history.prices[-1, 0])
"""


@pytest.mark.system
def test_a_recording_larger_than_the_memory_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"

    def noisy(n: int) -> RawFrame:
        noise = b',"x":"%s"}}' % random.randbytes(3000).hex().encode()
        return frame(START + n / 100, trade(BTC, n, n + 1.0, START + n / 100).replace(b"}}", noise))

    recorded(path, [noisy(n) for n in range(3000)])
    assert path.stat().st_size > 9 * 2**20
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True, timeout=280
    )  # fmt: skip
    assert done.stdout.split() == ["30", "2901.0"]


@pytest.mark.parametrize("name", ["binance", "alpaca", "manifold", "stockdata", "ccxt:kraken"])
def test_every_live_feed_has_a_parser_for_its_frames(name: str) -> None:
    feed = RecordedFeed(name, ("AAPL",), {"prices": "trades", "markets": ["will-it-rain"]})
    assert list(parser_for(feed).parse(b"no such payload", float(START))) == []


# -- real frames


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Find a file of the developer set beside the repository, or skip the test."""
    root = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ws"

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"{name} not present")
        return root / name

    return find


@pytest.mark.system
def test_real_frames_replay_to_the_last_trade_of_each_second(shared, tmp_path: Path) -> None:
    paths = [shared(f"binance_spot_{name}_20240808.frames.gz") for name in ("btcusdt", "ethusdt")]
    lines = [line.split(b" ", 1) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]
    frames = sorted((RawFrame("binance", int(at), text) for at, text in lines), key=lambda one: one.receive_time_ns)
    deals = [one for one in frames if b'"e":"trade"' in one.payload]
    last: dict[tuple[int, str], float] = {}
    for one in deals:
        event = orjson.loads(one.payload)["data"]
        last[-(-one.receive_time_ns // SECOND), event["s"]] = float(event["p"])
    of_files = load_history([str(path) for path in paths], interval=None)
    of_recording = load_history([recorded(tmp_path / "m.arena", deals)], interval=None)
    for history in (of_files, of_recording):
        now: dict[str, float] = {}
        for time, shown in zip(history.times.tolist(), shown_by(history), strict=True):
            now |= {symbol: price for (second, symbol), price in last.items() if second == time}
            assert shown == now
        assert len(history.times) == 345
        assert not history.defects
    assert shown_by(of_recording) == shown_live(deals, of_recording.times.tolist())
