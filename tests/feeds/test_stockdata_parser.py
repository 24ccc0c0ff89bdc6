"""Parsing of StockData.org's responses, and how a day's requests are spread; without sockets."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.feeds.stockdata.budget import (
    EXTENDED,
    REGULAR,
    Hours,
    MemoryUsage,
    RequestBudget,
    seconds_open,
    us_session,
    us_session_open,
    utc_day,
)
from arena.feeds.stockdata.parser import StockDataParser, event_time_of

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> float:
    """Return the Unix time of a New York wall time, or of one with its own zone."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)).timestamp()


def answer(*quotes: object) -> bytes:
    meta = {"requested": len(quotes), "returned": len(quotes)}
    return json.dumps({"meta": meta, "data": quotes}).encode()


def quote(**fields: object) -> dict[str, object]:
    return {"ticker": "TSLA", "price": 1087.61, "last_trade_time": "2022-01-05T15:59:58.000000", **fields}


# -- payloads


def test_a_quote_is_a_price_at_its_last_trade_in_new_york() -> None:
    (update,) = StockDataParser(["TSLA"]).parse(answer(quote()), 1_700_000_000.0)
    assert (update.symbol, update.price, update.feed) == ("TSLA", 1087.61, "stockdata")
    assert update.event_time == at("2022-01-05T20:59:58+00:00")
    assert update.receive_time == 1_700_000_000.0


def test_a_repeated_trade_confirms_the_old_price() -> None:
    parser = StockDataParser()
    (first,) = parser.parse(answer(quote()), 1_700_000_000.0)
    (again,) = parser.parse(answer(quote()), 1_700_000_060.0)
    assert again.event_time == first.event_time
    assert again.receive_time == 1_700_000_060.0
    assert parser.counts == {"prices": 1, "unchanged": 1}


def test_a_quote_without_a_time_counts_from_when_it_came() -> None:
    (update,) = StockDataParser().parse(answer(quote(last_trade_time=None)), 1_700_000_000.0)
    assert update.event_time == 1_700_000_000.0


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"price": None}, "unpriced"),
        ({"price": 0}, "bad_prices"),
        ({"price": -1.5}, "bad_prices"),
        ({"price": "NaN"}, "bad_prices"),
        ({"price": True}, "bad_prices"),
        ({"price": [1]}, "bad_prices"),
        ({"last_trade_time": "yesterday"}, "bad_times"),
        ({"last_trade_time": 1_700_000_000}, "bad_times"),
        ({"last_trade_time": "0001-01-01T00:00:00"}, "bad_times"),
        ({"ticker": "AAPL"}, "unknown"),
        ({"ticker": None}, "unknown"),
    ],
)
def test_an_invalid_quote_is_counted_and_left_out(fields: dict[str, object], kind: str) -> None:
    parser = StockDataParser(["TSLA", "SPY"])
    good = quote(ticker="SPY", price=3)
    found = parser.parse(answer(quote(**fields), good), 1_700_000_000.0)
    assert [update.price for update in found] == [3.0]
    assert parser.counts == {kind: 1, "prices": 1}


def test_new_fields_and_null_fields_do_no_harm() -> None:
    extra = {"52_week_high": None, "name": None, "mood": {"deep": [1]}, "currency": 7}
    assert len(StockDataParser().parse(answer(quote(**extra), 7, None, []), 1.7e9)) == 1


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"7", b'{"data":{}}', b'{"data":null}', b"\xff", b"[" * 99_999])
def test_no_quotes_at_all_are_garbled(payload: bytes) -> None:
    parser = StockDataParser()
    assert parser.parse(payload, 1.0) == []
    assert parser.counts == {"garbled": 1}


_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "TSLA", "9999-12-31", "1e5", []])
)
_QUOTES = st.dictionaries(st.sampled_from(["ticker", "price", "last_trade_time"]), _VALUES)


@given(st.binary(max_size=50) | st.lists(_QUOTES | _VALUES, max_size=5).map(lambda data: answer(*data)))
@settings(deadline=None)
def test_nothing_that_arrives_makes_the_parser_raise(payload: bytes) -> None:
    StockDataParser().parse(payload, 1.0)


def test_an_error_of_the_venue_is_an_error_in_a_recording_too() -> None:
    parser = StockDataParser()
    assert parser.parse(b'{"error":{"code":"server_error","message":"x"}}', 1.0) == []
    assert parser.counts == {"errors": 1}


# -- the venue's clock


@pytest.mark.parametrize(
    ("stamp", "utc"),
    [
        ("2026-07-22T15:59:58.250000", "2026-07-22T19:59:58.250+00:00"),
        ("2026-01-05T09:30:00", "2026-01-05T14:30:00+00:00"),
        ("2026-01-05T14:30:00Z", "2026-01-05T14:30:00+00:00"),
        ("2026-01-05T14:30:00+02:00", "2026-01-05T12:30:00+00:00"),
    ],
)
def test_wall_times_are_those_of_new_york_unless_they_have_a_zone(stamp: str, utc: str) -> None:
    assert event_time_of(stamp, at("2026-12-31T00:00")) == at(utc)


def test_in_the_repeated_hour_of_autumn_a_time_is_the_second_one_unless_that_is_in_the_future() -> None:
    first, second = at("2026-11-01T05:30:00+00:00"), at("2026-11-01T06:30:00+00:00")
    assert event_time_of("2026-11-01T01:30:00", first + 5) == first
    assert event_time_of("2026-11-01T01:30:00", second + 5) == second
    assert event_time_of("2026-11-01T01:30:00", second - 5) == second


# -- hours


@pytest.mark.parametrize(
    ("moment", "hours", "is_open"),
    [
        ("2026-07-22T09:29:59", REGULAR, False),
        ("2026-07-22T09:30:00", REGULAR, True),
        ("2026-07-22T15:59:59", REGULAR, True),
        ("2026-07-22T16:00:00", REGULAR, False),
        ("2026-07-22T04:00:00", EXTENDED, True),
        ("2026-07-22T19:59:59", EXTENDED, True),
        ("2026-07-25T12:00:00", REGULAR, False),
        ("2026-07-26T12:00:00", EXTENDED, False),
        ("2026-01-06T00:59:00+00:00", EXTENDED, True),
    ],
)
def test_new_york_trades_on_weekdays_during_the_regular_session(moment: str, hours: Hours, is_open: object) -> None:
    assert us_session_open(at(moment), hours) is is_open


def test_summer_and_winter_sessions_keep_new_yorks_time() -> None:
    assert us_session(date(2026, 7, 22)) == (at("2026-07-22T13:30+00:00"), at("2026-07-22T20:00+00:00"))
    assert us_session(date(2026, 1, 6)) == (at("2026-01-06T14:30+00:00"), at("2026-01-06T21:00+00:00"))
    assert us_session(date(2026, 7, 25)) is None


def test_open_seconds_are_counted_over_days_and_weekends() -> None:
    assert seconds_open(at("2026-07-22T10:00"), at("2026-07-22T10:10")) == 600
    assert seconds_open(at("2026-07-24T15:00"), at("2026-07-27T10:30")) == 2 * 3600
    assert seconds_open(at("2026-07-25T00:00"), at("2026-07-26T23:00")) == 0
    # In winter extended hours run an hour into the next UTC day.
    midnight = at("2026-01-07T00:00+00:00")
    assert seconds_open(midnight, midnight + 86_400, (time(4), time(20))) == 16 * 3600
    assert seconds_open(midnight - 60, midnight, EXTENDED) == 60


# -- the budget


def budget_of(daily: int = 100, round_requests: int = 1, poll: float = 10.0, hours: Hours = REGULAR) -> RequestBudget:
    return RequestBudget(daily, round_requests, poll, hours, MemoryUsage())


def test_a_full_day_of_the_free_plan_is_a_round_every_four_minutes() -> None:
    budget = budget_of()
    opened = at("2026-07-22T09:30")
    assert budget.interval(opened) == 6.5 * 3600 / 100
    assert budget_of(round_requests=2).interval(opened) == 6.5 * 3600 / 50
    assert budget_of(hours=EXTENDED).interval(at("2026-07-22T04:00")) == 16 * 3600 / 100


def test_what_is_left_of_the_day_is_spread_over_what_is_left_of_the_session() -> None:
    budget = budget_of()
    for _ in range(40):
        budget.spend(at("2026-07-22T10:00"))
    assert budget.rounds_left(at("2026-07-22T15:00")) == 60
    assert budget.interval(at("2026-07-22T15:00")) == 60.0
    assert budget.rounds_left(at("2026-07-23T09:30")) == 100


def test_polling_is_never_faster_than_the_setting() -> None:
    assert budget_of(daily=10_000).interval(at("2026-07-22T09:30")) == 10.0
    assert budget_of().interval(at("2026-07-25T12:00")) == 10.0


def test_a_budget_that_is_used_up_never_divides_by_zero() -> None:
    budget = budget_of(daily=1)
    now = at("2026-07-22T09:30")
    budget.spend(now)
    assert budget.rounds_left(now) == 0
    assert budget.interval(now) == 6.5 * 3600


def test_the_venues_count_can_only_lower_ours() -> None:
    budget, now = budget_of(), at("2026-07-22T09:30")
    budget.correct(now, 2400)
    assert budget.rounds_left(now) == 100
    budget.correct(now, 30)
    assert budget.rounds_left(now) == 30
    assert budget.usage.used(utc_day(now)) == 70
    budget.correct(now, -5)
    assert budget.rounds_left(now) == 0


@given(
    st.integers(1, 5_000),
    st.integers(1, 40),
    st.floats(1_700_000_000, 1_800_000_000),
    st.sampled_from([REGULAR, EXTENDED]),
)
@settings(deadline=None, max_examples=30)
def test_a_day_polled_at_its_interval_stays_within_the_budget(daily: int, step: int, now: float, hours: Hours) -> None:
    budget = RequestBudget(daily, step, 60.0, hours, MemoryUsage())
    end = (now // 86_400 + 1) * 86_400
    asked = 0
    while now < end:
        if us_session_open(now, hours) and budget.rounds_left(now):
            for _ in range(step):
                budget.spend(now)
            asked += step
            now += budget.interval(now)
        else:
            now += 900
    assert asked <= daily
