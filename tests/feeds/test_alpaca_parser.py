"""Parsing of Alpaca's messages, valid or not, in both encodings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.feeds.alpaca.codec import decode, encode, nanoseconds, stamp_of
from arena.feeds.alpaca.parser import TRADE_MEMORY, AlpacaParser
from arena.feeds.base import PriceUpdate
from arena.feeds.live import LiveMarket

TRANSCRIPT = Path(__file__).resolve().parents[3] / "shared" / "data" / "ws" / "alpaca_stock_stream_transcript.jsonl"
NOW = 1_700_000_100.0
START = 1_700_000_000 * 10**9


def at(milliseconds: int) -> str:
    return str(stamp_of(START + milliseconds * 10**6, "json"))


def deal(price: object, number: object = 1, ms: int = 0, **more: object) -> dict[str, Any]:
    return {"T": "t", "S": "AAPL", "i": number, "x": "V", "p": price, "s": 1, "t": at(ms), "c": ["@"], "z": "C"} | more


def corrected(old: object, new: object, price: object, **more: object) -> dict[str, Any]:
    return {"T": "c", "S": "AAPL", "x": "V", "oi": old, "ci": new, "cp": price, "cc": ["@"], "t": at(9000)} | more


def cancelled(number: object) -> dict[str, Any]:
    return {"T": "x", "S": "AAPL", "x": "V", "i": number, "p": 1.0, "a": "C", "t": at(9000)}


def told(parser: AlpacaParser, *messages: dict[str, Any]) -> list[float]:
    """Parse the messages in one array and return the prices in them."""
    return [update.price for update in parser.parse_payload(json.dumps(messages).encode(), NOW).updates]


def test_a_trade_sets_the_price_at_the_venues_time() -> None:
    message = deal(126.55, t="2021-02-22T15:51:44.208Z")
    expected = [PriceUpdate("AAPL", 126.55, 1614009104.208, NOW, "alpaca")]
    assert AlpacaParser().parse(json.dumps([message]).encode(), NOW) == expected
    packed = message | {"t": msgpack.Timestamp(1614009104, 208_000_000)}
    assert AlpacaParser().parse(msgpack.packb([packed]), NOW) == expected


def test_crypto_trades_with_ids_beyond_two_to_the_53_are_distinguished() -> None:
    parser, number = AlpacaParser(), 3447222699101865076
    pair = {"T": "t", "S": "AVAX/USD", "s": 29.2, "t": at(1), "tks": "S"}
    assert told(parser, pair | {"p": 47.1, "i": number}, pair | {"p": 47.2, "i": number + 1}) == [47.1, 47.2]


def test_repeated_and_older_trades_change_nothing() -> None:
    parser = AlpacaParser()
    assert told(parser, deal(1.0, 1, 10), deal(1.0, 1, 10), deal(2.0, 2, 5), deal(3.0, 3, 11)) == [1.0, 3.0]
    assert (parser.counts["duplicates"], parser.counts["late"], parser.counts["prices"]) == (1, 1, 2)


def test_trades_are_ordered_by_the_nanosecond_and_of_one_moment_the_later_to_arrive_counts() -> None:
    parser = AlpacaParser()
    first, second = "2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.12345679Z"
    assert told(parser, deal(2.0, 2, t=second), deal(1.0, 1, t=first), deal(3.0, 3, t=second)) == [2.0, 3.0]


def test_trade_ids_that_restart_the_next_day_are_new_trades() -> None:
    assert told(AlpacaParser(), deal(1.0, 1, 0), deal(2.0, 1, 86_400)) == [1.0, 2.0]


def test_a_cancelled_newest_trade_gives_way_to_the_one_before() -> None:
    parser = AlpacaParser()
    assert told(parser, deal(1.0, 1, 1000), deal(2.0, 2, 2000), deal(9.0, 3, 3000)) == [1.0, 2.0, 9.0]
    update = parser.parse(json.dumps([cancelled(3)]).encode(), NOW)[0]
    # It counts from the cancelled trade's time: the market keeps the later told of two with one time.
    assert (update.price, update.event_time) == (2.0, 1_700_000_003.0)
    assert told(parser, cancelled(2)) == [1.0]
    assert told(parser, cancelled(2), cancelled(3)) == []
    assert parser.counts["cancels"] == 4


def test_a_corrected_newest_trade_has_the_corrected_price_and_can_be_corrected_again() -> None:
    parser = AlpacaParser()
    assert told(parser, deal(1.0, 1, 1), deal(9.0, 2, 2)) == [1.0, 9.0]
    assert told(parser, corrected(2, 3, 1.5)) == [1.5]
    assert told(parser, corrected(2, 3, 7.0)) == []
    assert told(parser, corrected(3, 4, 1.6)) == [1.6]
    assert told(parser, cancelled(4)) == [1.0]


def test_corrections_and_cancels_of_older_or_unknown_trades_change_nothing() -> None:
    parser = AlpacaParser()
    told(parser, deal(1.0, 1, 1), deal(2.0, 2, 2))
    assert told(parser, cancelled(1), corrected(1, 7, 5.0), corrected(99, 100, 5.0), cancelled(99)) == []
    assert told(parser, {"T": "x", "S": "TSLA", "i": 2}) == []
    # The same number at another exchange is another trade.
    assert told(parser, cancelled(2) | {"x": "K"}) == []


def test_a_correction_without_a_good_price_is_a_cancel() -> None:
    for bad in (corrected(2, 3, 0), corrected(2, 3, "x"), corrected(2, 3, 5.0, cc=["Z"])):
        parser = AlpacaParser()
        told(parser, deal(1.0, 1, 1), deal(2.0, 2, 2))
        assert told(parser, bad) == [1.0]


def test_a_cancelled_trade_that_is_repeated_stays_cancelled() -> None:
    parser = AlpacaParser()
    told(parser, deal(1.0, 1, 1), deal(9.0, 2, 2))
    assert told(parser, cancelled(2), deal(9.0, 2, 2)) == [1.0]


def test_a_late_trade_above_a_cancelled_one_counts_from_the_cancelled_ones_time() -> None:
    parser = AlpacaParser()
    told(parser, deal(1.0, 1, 1000), deal(9.0, 2, 3000), cancelled(2))
    update = parser.parse(json.dumps([deal(2.0, 3, 2000)]).encode(), NOW)[0]
    assert (update.price, update.event_time) == (2.0, 1_700_000_003.0)


def test_the_market_itself_takes_a_cancelled_price_back() -> None:
    parser, market = AlpacaParser(), LiveMarket()
    seen = []
    for message in (deal(1.0, 1, 1000), deal(9.0, 2, 2000), cancelled(2), deal(3.0, 3, 3000)):
        for update in parser.parse(json.dumps([message]).encode(), NOW):
            market.on_price(update)
        seen.append(market.prices_at(NOW)["AAPL"])
    assert seen == [1.0, 9.0, 1.0, 3.0]


def test_only_so_many_trades_are_remembered() -> None:
    parser = AlpacaParser()
    told(parser, *(deal(float(n), n, n) for n in range(1, 3 * TRADE_MEMORY)))
    tape = parser._trades["AAPL"]
    assert len(tape._trades) == TRADE_MEMORY
    assert told(parser, *(cancelled(n) for n in range(3 * TRADE_MEMORY - 1, 0, -1)))[-1] == 2.0 * TRADE_MEMORY


def test_a_trade_from_the_future_does_not_silence_the_symbol() -> None:
    parser = AlpacaParser()
    assert told(parser, deal(1.0, 1, t="2099-01-01T00:00:00Z")) == [1.0]
    later = deal(2.0, 2, t=str(stamp_of(int((NOW + 120) * 1e9), "json")))
    assert [update.price for update in parser.parse(json.dumps([later]).encode(), NOW + 120)] == [2.0]


@pytest.mark.parametrize("condition", ["Z", "W", "4", "7", "P", "U"])
def test_trades_with_excluded_conditions_set_no_price(condition: str) -> None:
    assert told(AlpacaParser(), deal(1.0, c=["@", condition])) == []


def test_extended_hours_odd_lots_and_bunched_trades_set_the_price() -> None:
    assert told(AlpacaParser(), deal(1.0, 1, 1, c=["@", "F", "T", "I"]), deal(2.0, 2, 2, c=["B"])) == [1.0, 2.0]
    assert told(AlpacaParser(), deal(1.0, z="A", c=["B"])) == []


def quoted(bid: object, ask: object, ms: int) -> dict[str, Any]:
    return {"T": "q", "S": "AAPL", "bp": bid, "bs": 1, "ap": ask, "as": 1, "t": at(ms)}


def test_quotes_set_the_price_at_their_middle_where_both_sides_are_valid() -> None:
    parser = AlpacaParser(prices="quotes")
    assert told(parser, quoted(91.95, 91.98, 1), quoted(92.0, 92.0, 2)) == [(91.95 + 91.98) / 2, 92.0]
    bad = [(0, 92), (92, 0), (92.1, 92.0), (1.0, 199_999.0), (None, 92), ("x", "y"), (float(10**300), 1e308)]
    assert told(parser, *(quoted(bid, ask, 3) for bid, ask in bad)) == []
    assert parser.counts["no_middle"] == len(bad)
    assert told(parser, quoted(91.0, 92.0, 1), quoted(92.0, 92.0, 2), quoted(93.0, 93.0, 2)) == [93.0]
    assert (parser.counts["late"], parser.counts["duplicates"]) == (1, 1)


def test_bars_set_the_price_at_their_close_when_they_end() -> None:
    parser = AlpacaParser(prices="bars")
    bar = {"T": "b", "S": "SPY", "o": 1, "h": 1, "l": 1, "c": 389.12, "v": 0, "t": "2021-02-22T19:15:00Z"}
    [update] = parser.parse(json.dumps([bar]).encode(), NOW)
    assert (update.price, update.event_time) == (389.12, 1614021360.0)
    assert told(parser, bar, bar | {"t": "2021-02-22T19:14:00Z"}, bar | {"c": 0, "t": at(0)}) == []


def test_only_the_chosen_kind_of_message_sets_prices() -> None:
    messages = [deal(1.0), quoted(2.0, 2.0, 1), {"T": "b", "S": "AAPL", "c": 3.0, "t": at(2)}]
    for prices, expected in (("trades", [1.0]), ("quotes", [2.0]), ("bars", [3.0])):
        assert told(AlpacaParser(prices=prices), *messages) == expected  # type: ignore[arg-type]


def test_the_subscription_in_a_recording_decides_what_sets_prices() -> None:
    parser = AlpacaParser()
    assert told(parser, {"T": "subscription", "trades": [], "quotes": ["AAPL"]}, deal(1.0), quoted(2.0, 2.0, 1)) == [
        2.0
    ]


def test_symbols_that_were_not_configured_are_only_counted() -> None:
    parser = AlpacaParser(["TSLA"])
    assert told(parser, deal(1.0), deal(2.0, S="TSLA")) == [2.0]
    assert parser.counts["unknown"] == 1


def test_unreadable_messages_are_counted_by_kind_and_never_raised() -> None:
    parser = AlpacaParser()
    garbled = [b"", b"{", b"[", b"7", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe", b"\x91", b"\xc1", b"\x93" * 100_000,
               b"\xdd\xff\xff\xff\xff", b"\x91\xa1\xff", b"\x91\xd7\xff" + b"\xff" * 8, b"\x90\x90",
               b"[7]", b"[[]]", b"[null]", b'[{"T":[]}]', b'[{"T":1}]', b"[{}]", b"{}"]  # fmt: skip
    for payload in garbled:
        assert parser.parse(payload, NOW) == []
    assert parser.counts == {"garbled": len(garbled)}
    odd = [deal(1.0, S=None), deal(1.0, t=None), deal(1.0, t="yesterday"), deal(1.0, t="2023-13-41T00:00:00Z")]
    assert told(parser, *odd) == []
    assert told(parser, *(deal(p) for p in (0, -1, None, True, [], "nan", "x", "1e999"))) == []
    assert told(parser, deal(1.0, T="zz"), deal(1.0, T="s"), {"T": "u", "S": "AAPL", "c": 1.0}) == []
    assert told(parser, {"T": "c"}, {"T": "x", "S": "AAPL"}, {"T": "c", "S": "AAPL", "oi": {}}) == []
    assert parser.counts["garbled"] == len(garbled) + 5
    assert parser.counts["bad_prices"] == 8
    assert (parser.counts["unknown"], parser.counts["not_price"]) == (1, 2)
    assert told(parser, deal(5.0)) == [5.0]


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)
_messages = st.fixed_dictionaries(
    {"T": st.sampled_from("tcxqbsludo") | _values},
    optional=dict.fromkeys(("S", "i", "x", "p", "t", "c", "z", "oi", "ci", "cp", "cc", "bp", "ap", "sc"), _values),
)
_answers = st.dictionaries(
    st.sampled_from(["trades", "quotes", "bars", "message"]), st.dictionaries(st.text(max_size=2), _messages) | _values
)


@pytest.mark.system
@given(
    st.binary(max_size=60)
    | _messages.map(lambda m: msgpack.packb([m | {"S": "A", "t": msgpack.Timestamp(9)}, m]))
    | _answers.map(msgpack.packb)
)
def test_whatever_arrives_only_good_prices_come_out(payload: bytes) -> None:
    for prices in ("trades", "quotes", "bars"):
        for update in AlpacaParser(prices=prices).parse_payload(payload, NOW).updates:  # type: ignore[arg-type]
            assert 0.0 < update.price < float("inf")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("2021-02-22T15:51:44.208Z", 1614009104_208000000),
        ("2021-02-22T15:51:45.335689322Z", 1614009105_335689322),
        ("2023-04-06T13:15:42.83540958Z", 1680786942_835409580),
        ("2024-03-12T10:38:50.7966132199Z", 1710239930_796613219),
        ("2021-02-22t10:51:44.208-05:00", 1614009104_208000000),
        ("2021-02-22 15:51:44Z", None), ("2021-02-22T15:51:44", None), ("2021-02-30T15:51:44Z", None),
        ("0001-01-01T00:00:00+23:59", None), ("1969-12-31T23:59:59Z", None), ("", None), (1614009104, None),
    ],
)  # fmt: skip
def test_times_keep_all_nine_digits(text: object, expected: int | None) -> None:
    assert nanoseconds(text) == expected


@given(st.integers(10**9, 4 * 10**18), st.sampled_from(["json", "msgpack"]))
def test_times_survive_both_encodings(moment: int, encoding: Any) -> None:
    payload = encode([{"t": stamp_of(moment, encoding)}], encoding)
    [message] = decode(payload if isinstance(payload, bytes) else payload.encode()) or []
    assert nanoseconds(message["t"]) == moment


def test_the_vendors_documented_transcript_reads_as_documented() -> None:
    if not TRANSCRIPT.is_file():
        pytest.skip("the shared transcript is not here")
    lines = [json.loads(line) for line in TRANSCRIPT.read_text("utf-8").splitlines()]
    frames = [line["raw"].encode() for line in lines if line["dir"] != ">"]
    parser = AlpacaParser(prices="trades")
    updates = [update for frame in frames for update in parser.parse_payload(frame, NOW).updates]
    assert [(u.symbol, u.price) for u in updates] == [("AAPL", 162.92), ("AAPL", 162.92), ("AAPL", 162.91)]
    assert updates[-1].event_time == 1680782066.83915973
    # The examples at its end are older, or correct trades that it does not hold.
    assert (parser.counts["late"], parser.counts["unchanged"], parser.counts["errors"]) == (1, 2, 9)
    assert not parser.counts["garbled"] + parser.counts["unknown"] + parser.counts["bad_prices"]
    quotes = [u for frame in frames for u in AlpacaParser(prices="quotes").parse_payload(frame, NOW).updates]
    assert [(u.symbol, round(u.price, 3)) for u in quotes] == [("AMD", 91.965), ("AMD", 91.94), ("AMD", 87.67)]
