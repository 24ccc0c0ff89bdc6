"""Parsing of Binance's payloads, hand-made and recorded."""

from __future__ import annotations

import gzip
import json
import math
import time
from pathlib import Path

import pytest

from arena.feeds.base import PriceUpdate, RawFrame
from arena.feeds.binance.parser import RENUMBERED_AFTER, BinanceParser, wrap_rest_trades
from arena.feeds.live import LiveMarket

WS = Path(__file__).resolve().parents[3] / "shared" / "data" / "ws"
BTC = "BTCUSDT"


def trade(number: int, price: str, stamp: int = 1_000, symbol: str = BTC) -> bytes:
    return json.dumps({"e": "trade", "E": stamp, "s": symbol, "t": number, "p": price, "T": stamp}).encode()


def answer(*trades: tuple[int, str, int]) -> bytes:
    rows = [{"id": number, "price": price, "time": stamp} for number, price, stamp in trades]
    return wrap_rest_trades(BTC, json.dumps(rows).encode())


def prices(parser: BinanceParser, *payloads: bytes, now: float = 1e9) -> list[float]:
    return [update.price for payload in payloads for update in parser.parse(payload, now)]


def test_milliseconds_and_microseconds_are_distinguished() -> None:
    parser = BinanceParser()
    found = [*parser.parse(trade(1, "2", 1_700_000_000_123), 5.0), *parser.parse(trade(2, "3", 10**15), 6.0)]
    assert found == [
        PriceUpdate(BTC, 2.0, 1_700_000_000.123, 5.0, "binance"),
        PriceUpdate(BTC, 3.0, 1e9, 6.0, "binance"),
    ]


def test_each_kind_of_event_has_its_own_numbers() -> None:
    parser = BinanceParser([BTC])
    ticker = b'{"e":"24hrMiniTicker","E":2000,"s":"BTCUSDT","c":"7"}'
    sums = b'{"e":"aggTrade","E":2000,"s":"BTCUSDT","a":3,"p":"8","T":2000}'
    assert prices(parser, trade(9, "1"), ticker, sums, ticker, sums, trade(9, "1")) == [1.0, 7.0, 8.0]
    assert parser.counts == {"prices": 3, "duplicates": 3}


def test_a_rest_response_fills_the_gap_between_two_frames_in_order() -> None:
    parser = BinanceParser([BTC])
    late = answer((14, "14", 1_400), (12, "12", 1_200), (11, "11", 1_100), (13, "13", 1_300))
    assert prices(parser, trade(11, "11"), late, trade(13, "13"), trade(14, "14"), trade(15, "15")) == [
        11,
        12,
        13,
        14,
        15,
    ]
    assert parser.counts == {"prices": 2, "backfilled": 3, "duplicates": 2}


def test_falling_trade_ids_are_duplicates_unless_much_time_has_passed() -> None:
    parser = BinanceParser()
    late = int(RENUMBERED_AFTER * 1000)
    assert prices(parser, trade(50, "1"), trade(4, "2", 900 + late), trade(5, "3", 1_000 + late)) == [1.0, 3.0]
    assert prices(parser, trade(4, "4", 1_000 + late), trade(6, "5", 1_000 + late)) == [5.0]
    # A time of the far future does not make everything after it old: ours counts then.
    assert prices(parser, trade(999, "6", 10**14), now=100.0) == [6.0]
    assert prices(parser, trade(7, "7", 170_000), now=170.0) == [7.0]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"[" * 100_000, b"{" * 9, b'{"stream":5,"data":[1]}', b'{"stream":"@trades","data":[1,null,{}]}',
     b'{"stream":"BTCUSDT@trades","data":[{"id":1.5},{"id":true,"price":"1","time":1}]}',
     b'{"stream":"BTCUSDT@trades","data":{"code":-1121}}', b'{"e":"trade","s":"BTCUSDT","t":1e99,"p":"1","T":1}',
     b'{"e":"trade","s":"BTCUSDT","t":99999999999999999999,"p":"1","T":1}', b'{"e":"kline","s":"BTCUSDT","k":[]}',
     b'{"stream":"btcusdt@trade","data":[{"id":1,"price":"1","time":1}]}'],
)  # fmt: skip
def test_an_unreadable_payload_is_no_price_and_no_error(payload: bytes) -> None:
    parser = BinanceParser([BTC])
    assert parser.parse(payload, math.nan) == []
    assert parser.parse(payload, 1.0) == []
    assert parser.counts["prices"] == parser.counts["backfilled"] == 0


def test_a_symbol_that_needs_escaping_in_json_can_be_wrapped() -> None:
    name = 'B"\N{CJK UNIFIED IDEOGRAPH-5E01}ß'
    found = BinanceParser([name]).parse(wrap_rest_trades(name, b'[{"id":1,"price":"2","time":3000}]'), 9.0)
    assert found == [PriceUpdate(name, 2.0, 3.0, 9.0, "binance")]


def test_late_trades_do_not_change_past_ticks() -> None:
    """The gap is from 11 to 14 s; the tick at 13 was made without the trades that come at 15."""
    parser, market = BinanceParser([BTC]), LiveMarket()

    def hear(payload: bytes, now: float) -> None:
        for update in parser.parse(payload, now):
            market.on_price(update)

    hear(trade(1, "1", 11_000), 11.1)
    played = market.prices_at(13.0)
    hear(answer((1, "1", 11_000), (2, "2", 12_000), (3, "3", 14_000), (4, "4", 14_000)), 15.0)
    hear(trade(4, "4", 14_000), 15.1)
    hear(trade(5, "5", 15_050), 15.1)
    assert played == {BTC: 1.0}
    assert [market.prices_at(now)[BTC] for now in (14.5, 15.05, 16.0)] == [4.0, 5.0, 5.0]


# -- the recorded frames, read plainly here and by the parser


def recorded(name: str) -> list[tuple[int, bytes]]:
    path = WS / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    lines = (line.split(b" ", 1) for line in gzip.decompress(path.read_bytes()).splitlines())
    return [(int(stamp), payload) for stamp, payload in lines]


@pytest.mark.parametrize("coin", ["btc", "eth"])
def test_recorded_frames_give_every_trade_once(coin: str) -> None:
    frames = recorded(f"binance_spot_{coin}usdt_20240808.frames.gz")
    expected = []
    for stamp, payload in frames:
        data = json.loads(payload).get("data", {})
        if data.get("e") == "trade":
            expected.append(PriceUpdate(data["s"], float(data["p"]), data["T"] / 1000, stamp / 1e9, "binance"))
    parser, found = BinanceParser(), []
    for stamp, payload in frames:
        found += parser.parse(payload, stamp / 1e9)
    assert found == expected
    assert parser.counts["garbled"] == parser.counts["duplicates"] == 0


@pytest.mark.perf
def test_recorded_frames_are_parsed_quickly() -> None:
    frames = recorded("binance_spot_btcusdt_20240808.frames.gz")
    parser, started = BinanceParser(), time.process_time()
    for stamp, payload in frames:
        parser.parse(payload, stamp / 1e9)
    assert len(frames) / (time.process_time() - started) > 10_000  # 150,000 a second on a free core


def test_recorded_messages_of_other_kinds_are_ignored() -> None:
    path = WS / "binance_messages.crypto-msg-parser.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    expected, found = [], []
    for line in path.read_bytes().splitlines():
        message = json.loads(line)
        data = message.get("data", message) if isinstance(message, dict) else message
        if isinstance(data, dict) and data.get("e") in {"trade", "aggTrade", "24hrMiniTicker"}:
            expected.append((data["s"], float(data["p"])))
        found += [(update.symbol, update.price) for update in BinanceParser().parse(line, 1.0)]
    assert found == expected
    assert found


def test_a_new_parser_gives_the_same_prices_for_the_same_frames() -> None:
    frames = [RawFrame("binance", n * 10**9 + 1, trade(n // 2, str(n + 1), n * 1000)) for n in range(40)]
    one, two = BinanceParser([BTC]), BinanceParser()
    first = [one.parse(frame.payload, frame.receive_time_ns / 1e9) for frame in frames]
    assert first == [two.parse(frame.payload, frame.receive_time_ns / 1e9) for frame in frames]
    assert sum(map(len, first)) == 20
