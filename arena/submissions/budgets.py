"""Budgets of tokens and dollars: of a submission, of an author on a UTC day, of all on a UTC day.

A strategy is taken while what has been used, and what those under way are expected to use, is below every budget.
One that is taken gets at least its first answer, so that a budget is exceeded by the answers under way at most.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import func
from sqlmodel import Session, col, select

from arena.config import Settings
from arena.errors import BusyError
from arena.llm.models import TEMPLATE
from arena.store.models import Attempt, Submission
from arena.submissions.states import FINAL

_DAY = 86_400
_UNITS = {"tokens": "tokens", "usd": "US dollars"}
# Tokens of a usual first answer with its question, where none has been seen.
_USUAL = 4000


@dataclass(frozen=True, slots=True)
class Limits:
    """The budgets by scope and unit; 0 means that there is none."""

    submission_tokens: int = 0
    author_tokens: int = 0
    day_tokens: int = 0
    submission_usd: float = 0.0
    author_usd: float = 0.0
    day_usd: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Return the budgets of the settings."""
        return cls(
            settings.budget_submission_tokens, settings.budget_author_tokens, settings.budget_day_tokens,
            settings.budget_submission_usd, settings.budget_author_usd, settings.budget_day_usd,
        )  # fmt: skip

    def of_day(self) -> list[tuple[str, str, float]]:
        """Return those that a UTC day has, as scope, unit and limit."""
        found = [
            ("author", "tokens", float(self.author_tokens)), ("author", "usd", self.author_usd),
            ("day", "tokens", float(self.day_tokens)), ("day", "usd", self.day_usd),
        ]  # fmt: skip
        return [one for one in found if one[2]]


class Budgets:
    """Counts what was used, from the stored attempts, so that a restart forgets nothing."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def refuse_beyond(self, author: str, models: Sequence[str]) -> None:
        """Take no more where a budget of the day is used up; BusyError tells when it begins anew."""
        limits = self._limits.of_day()
        if not limits or all(model == TEMPLATE for model in models):
            return
        now = time.time()
        resets_at = (now // _DAY + 1) * _DAY
        for scope, unit, limit in limits:
            of = author if scope == "author" else None
            used = self._used(unit, of, now)
            whose = f"{author}'s" if scope == "author" else "The"
            if used >= limit:
                when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(resets_at))
                raise BusyError(
                    f"{whose} budget of {limit:,g} {_UNITS[unit]} a day is used up; it begins anew at {when}.",
                    resets_at - now, resets_at,
                )  # fmt: skip
            expected = self._expected(unit, of, now)
            if expected and used + expected >= limit:
                raise BusyError(
                    f"{whose} budget of {limit:,g} {_UNITS[unit]} a day may be used up by the strategies under way: "
                    "try again when they have ended.",
                    10.0, resets_at,
                )  # fmt: skip

    def why_no_more(self, submission: Submission) -> str | None:
        """Return why another call for a submission is beyond a budget, None where it is not."""
        limits = self._limits
        for unit, limit in (("tokens", float(limits.submission_tokens)), ("usd", limits.submission_usd)):
            if limit and self._of_submission(unit, submission.id) >= limit:
                return f"its budget of {limit:,g} {_UNITS[unit]} is used up"
        now = time.time()
        for scope, unit, limit in limits.of_day():
            if self._used(unit, submission.author if scope == "author" else None, now) >= limit:
                whose = "its author's" if scope == "author" else "the"
                return f"{whose} budget of {limit:,g} {_UNITS[unit]} a day is used up"
        return None

    def documents(self, author: str | None = None) -> list[dict[str, Any]]:
        """Return every budget with what is used and left of it."""
        now = time.time()
        found = [
            {"scope": "submission", "unit": unit, "limit": limit, "used": None, "left": None, "resets_at": None}
            for unit, limit in (
                ("tokens", float(self._limits.submission_tokens)),
                ("usd", self._limits.submission_usd),
            )
            if limit
        ]
        for scope, unit, limit in self._limits.of_day():
            if scope == "author" and author is None:
                used = None
            else:
                used = self._used(unit, author if scope == "author" else None, now)
            left = None if used is None else max(0.0, limit - used)
            found.append({"scope": scope, "unit": unit, "limit": limit, "used": used, "left": left,
                          "resets_at": (now // _DAY + 1) * _DAY})  # fmt: skip
        return found

    # -- counting -------------------------------------------------------------------------------------------

    def _used(self, unit: str, author: str | None, now: float) -> float:
        query = select(func.sum(_amount(unit))).where(col(Attempt.asked_at) >= now // _DAY * _DAY)
        if author is not None:
            query = query.join(Submission, col(Submission.id) == col(Attempt.submission_id)).where(
                Submission.author == author
            )
        with Session(self._database) as session:
            return float(session.exec(query).one() or 0)

    def _of_submission(self, unit: str, submission_id: str) -> float:
        query = select(func.sum(_amount(unit))).where(Attempt.submission_id == submission_id)
        with Session(self._database) as session:
            return float(session.exec(query).one() or 0)

    def _expected(self, unit: str, author: str | None, now: float) -> float:
        """Return what those will use who wait for their first answer: each as much as today's answers on average."""
        answered = select(Attempt.submission_id).where(col(Attempt.asked_at) > 0)
        query = select(func.count()).select_from(Submission).where(
            col(Submission.status).not_in([str(status) for status in FINAL]),
            Submission.model != TEMPLATE, col(Submission.id).not_in(answered),
        )  # fmt: skip
        if author is not None:
            query = query.where(Submission.author == author)
        usual = select(func.avg(_amount(unit))).where(
            col(Attempt.asked_at) >= now // _DAY * _DAY, Attempt.model != TEMPLATE
        )
        with Session(self._database) as session:
            waiting = session.exec(query).one()
            each = session.exec(usual).one() if waiting else None
        if each is None:
            each = _USUAL if unit == "tokens" else 0
        return float(waiting * each)


def _amount(unit: str) -> Any:
    if unit == "usd":
        return func.coalesce(Attempt.cost_usd, 0)
    return func.coalesce(Attempt.prompt_tokens, 0) + func.coalesce(Attempt.completion_tokens, 0)
