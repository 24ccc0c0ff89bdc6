"""The dates of a season as people write them, and what is wrong with some."""

from __future__ import annotations

import pytest

from arena.core.season_rules import SeasonRules
from arena.dates import entry_problem, read_dates, read_length, read_moment, spoken

NOW = 1_767_225_600.0  # 2026-01-01
DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7d", 7 * DAY), ("12h", 43_200.0), ("90m", 5_400.0), ("3600", 3_600.0), ("1.5 h", 5_400.0), (" 2W ", 14 * DAY)],
)
def test_a_length_is_read(text: str, seconds: float) -> None:
    assert read_length(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "7 days", "-1d", "0", "1e9", "d", "nan", "999999999w"])
def test_what_is_no_length_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time; write it like 7d"):
        read_length(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02", NOW + DAY), ("2026-01-01T01:00Z", NOW + 3600), ("2026-01-01T01:00+01:00", NOW),
        (str(NOW), NOW), ("+1d", NOW + DAY), ("+90m", NOW + 5400),
    ],
)  # fmt: skip
def test_a_time_is_read(text: str, time: float) -> None:
    assert read_moment(text, NOW) == time


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "inf", "nan", "-5", "1e300", "+soon"])
def test_what_is_no_time_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no (time|length)"):
        read_moment(text, NOW)


@pytest.mark.parametrize(
    ("starts", "ends", "deadline", "said"),
    [
        ("+2d", "2026-01-02", None, "must end after it starts"),
        ("+1d", "2026-01-02", None, "must end after it starts"),
        ("2025-12-31", None, None, "cannot start in the past: 2025-12-31 00:00:00 UTC is over"),
        (None, "2025-12-31", None, "cannot end in the past"),
        (None, "+1d", "+2d", "must not be after the end"),
        (None, None, "2025-12-31", "cannot lie in the past"),
    ],
)
def test_dates_that_cannot_be_say_why(starts: str | None, ends: str | None, deadline: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_dates(starts, ends, deadline, NOW)


def test_lengths_count_from_the_start_and_a_usual_length_gives_the_end() -> None:
    dates = read_dates("+1d", "+7d", "+2d", NOW)
    assert (dates.starts_at, dates.ends_at, dates.entry_deadline) == (NOW + DAY, NOW + 8 * DAY, NOW + 3 * DAY)
    assert read_dates("+1d", None, None, NOW, 7 * DAY).ends_at == NOW + 8 * DAY
    assert read_dates(None, None, None, NOW).ends_at is None


def test_after_the_deadline_it_is_said_when_the_next_season_begins() -> None:
    rules = SeasonRules(1e4, 0.0, 0.0, 0, 1.0, 300.0, "cash", None, NOW + DAY, NOW, 1)
    assert entry_problem(4, rules, NOW, None) is None
    known = entry_problem(4, rules, NOW + 1, NOW + DAY)
    assert known == (f"Season 4 took bots until {spoken(NOW)}; the next season begins at 2026-01-02 00:00:00 UTC.")
    unknown = entry_problem(4, rules, NOW + 1, None)
    assert unknown is not None
    assert "it ends at 2026-01-02 00:00:00 UTC" in unknown
    assert "when the operator opens it" in unknown
