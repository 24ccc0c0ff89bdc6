"""When US stocks trade, against the exchange's published calendars."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from arena.feeds.alpaca.feed import AlpacaFeed, StockFeed
from arena.feeds.market_hours import TradingSession, holidays, is_short, session_at

NEW_YORK = ZoneInfo("America/New_York")
# As published by the exchange: days closed, and days that end at 13:00.
CLOSED = {
    2021: "0101 0118 0215 0402 0531 0705 0906 1125 1224",
    2022: "0117 0221 0415 0530 0620 0704 0905 1124 1226",
    2025: "0101 0120 0217 0418 0526 0619 0704 0901 1127 1225",
    2026: "0101 0119 0216 0403 0525 0619 0703 0907 1126 1225",
    2027: "0101 0118 0215 0326 0531 0618 0705 0906 1125 1224",
}
SHORT = {
    2021: "1126", 2022: "1125", 2025: "0703 1128 1224", 2026: "1127 1224", 2027: "1126",
}  # fmt: skip


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


@pytest.mark.parametrize("year", CLOSED)
def test_holidays_and_short_days_are_those_of_the_published_calendar(year: int) -> None:
    assert {f"{day:%m%d}" for day in holidays(year)} == set(CLOSED[year].split())
    days = [date.fromordinal(n) for n in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal())]
    open_days = [day for day in days if day.weekday() < 5 and day not in holidays(year)]
    assert {f"{day:%m%d}" for day in open_days if is_short(day)} == set(SHORT[year].split())


@pytest.mark.parametrize(
    ("text", "session"),
    [
        ("2026-03-06 03:59:59", "closed"), ("2026-03-06 04:00:00", "extended"), ("2026-03-06 09:29:59", "extended"),
        ("2026-03-06 09:30:00", "regular"), ("2026-03-06 15:59:59", "regular"), ("2026-03-06 16:00:00", "extended"),
        ("2026-03-06 19:59:59", "extended"), ("2026-03-06 20:00:00", "closed"),
        ("2026-03-07 12:00:00", "closed"), ("2026-03-08 12:00:00", "closed"), ("2026-03-09 09:30:00", "regular"),
        ("2026-11-27 12:59:59", "regular"), ("2026-11-27 13:00:00", "extended"), ("2026-11-27 17:00:00", "closed"),
        ("2026-12-25 12:00:00", "closed"), ("2026-07-03 12:00:00", "closed"),
    ],
)  # fmt: skip
def test_sessions_follow_new_yorks_clock(text: str, session: str) -> None:
    assert session_at(moment(text)).value == session


def test_summer_time_moves_the_opening_in_universal_time() -> None:
    for day, hour in (("2026-03-06", 14), ("2026-03-09", 13)):
        opening = datetime.fromisoformat(f"{day}T{hour}:30:00").replace(tzinfo=UTC).timestamp()
        assert [session_at(opening + delta) for delta in (-1.0, 0.0)] == [
            TradingSession.EXTENDED,
            TradingSession.REGULAR,
        ]


@pytest.mark.parametrize(
    ("feed", "symbol", "text", "interval", "is_open"),
    [
        ("iex", "AAPL", "2026-03-06 12:00:00", 60.0, True), ("iex", "AAPL", "2026-03-06 17:00:00", 60.0, False),
        ("iex", "AAPL", "2026-03-07 12:00:00", 60.0, False), ("sip", "AAPL", "2026-03-06 12:00:00", 10.0, True),
        ("sip", "AAPL", "2026-03-06 17:00:00", 60.0, True), ("sip", "AAPL", "2026-03-06 21:00:00", 10.0, False),
        ("delayed_sip", "AAPL", "2026-03-06 04:14:59", 10.0, False),
        ("delayed_sip", "AAPL", "2026-03-06 20:14:59", 60.0, True),
        ("test", "FAKEPACA", "2026-03-07 03:00:00", 10.0, True), ("iex", "BTC/USD", "2026-12-25 03:00:00", 10.0, True),
    ],
)  # fmt: skip
def test_the_pace_distinguishes_a_closed_market_from_a_silent_one(
    feed: StockFeed, symbol: str, text: str, interval: float, *, is_open: bool
) -> None:
    pace = AlpacaFeed([symbol], "k", "s", feed=feed).pace(symbol, moment(text))
    assert (pace.interval, pace.open) == (interval, is_open)


def test_bars_and_quotes_have_a_pace_of_their_own() -> None:
    noon = moment("2026-03-06 12:00:00")
    for prices, interval in (("bars", 60.0), ("quotes", 10.0)):
        feed = AlpacaFeed(["AAPL", "BTC/USD"], "k", "s", prices=prices)  # type: ignore[arg-type]
        assert [feed.pace(symbol, noon).interval for symbol in feed.symbols] == [interval, interval]
