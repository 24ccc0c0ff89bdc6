"""Quotas of users: bots at once, work of each kind a UTC day, requests a minute; those of addresses without account.

An admin has no quota but that of requests. Tokens and money of models are the budgets' of an author's name, which
is the user's.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from arena.config import Settings
from arena.errors import BusyError
from arena.people.rights import Caller
from arena.store.bulk import table_of
from arena.store.models import Bot, Entry
from arena.store.people import QuotaUse


class Daily(StrEnum):
    """What is counted by the day."""

    SUBMISSIONS = "submissions"
    TAPES = "tapes"
    BACKTESTS = "backtests"


_WORDS = {
    Daily.SUBMISSIONS: ("hand in", "strategies and bots", "SUBMISSIONS_PER_DAY"),
    Daily.TAPES: ("upload", "market files", "TAPES_PER_DAY"),
    Daily.BACKTESTS: ("ask for", "backtests and checks of robustness", "BACKTESTS_PER_DAY"),
}
_DAY = 86_400
_USE, _BOTS, _ENTRIES = table_of(QuotaUse), table_of(Bot), table_of(Entry)
_GONE = ("retired", "quarantined")


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """The quotas; 0 means any number."""

    bots: int = 0
    requests_a_minute: int = 0
    daily: dict[Daily, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> QuotaLimits:
        """Return the quotas of the settings; those of users are of use with accounts only."""
        return cls(
            settings.bots_per_user if settings.accounts else 0,
            settings.requests_per_minute,
            {
                Daily.SUBMISSIONS: settings.submissions_per_day,
                Daily.TAPES: settings.tapes_per_day,
                Daily.BACKTESTS: settings.backtests_per_day,
            } if settings.accounts else {},
        )  # fmt: skip


class DailyQuota:
    """Counts what a user does on a UTC day, in the database, so that a restart forgets nothing."""

    def __init__(self, database: Engine, limits: QuotaLimits, kind: Daily = Daily.SUBMISSIONS) -> None:
        self._database = database
        self._kind = kind
        self._limit = limits.daily.get(kind, 0)

    def take(self, caller: Caller, count: int = 1) -> None:
        """Count some more; BusyError where they would be too many, which tells when the quota begins anew."""
        if not self._limit or caller.user_id is None or caller.admin:
            return
        now = time.time()
        make = postgresql.insert if self._database.dialect.name == "postgresql" else sqlite.insert
        fresh = make(_USE).values(subject=caller.user_id, quota=self._kind, day=day_name(now), used=0)
        mine = self._mine(caller.user_id)
        with self._database.begin() as connection:
            connection.execute(fresh.on_conflict_do_nothing())
            # One statement: of many that come at once, no more than fit are let through.
            more = update(_USE).where(*mine, _USE.c.used + count <= self._limit).values(used=_USE.c.used + count)
            fits = connection.execute(more).rowcount
        if not fits:
            resets_at = (now // _DAY + 1) * _DAY
            when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(resets_at))
            act, things, setting = _WORDS[self._kind]
            raise BusyError(
                f"You may {act} {self._limit} {things} a day ({setting}); it begins anew at {when}.",
                resets_at - now, resets_at,
            )  # fmt: skip

    def give_back(self, caller: Caller, count: int = 1) -> None:
        """Count some less: what was refused is not counted."""
        if self._limit and caller.user_id is not None and not caller.admin:
            with self._database.begin() as connection:
                mine = self._mine(caller.user_id)
                connection.execute(update(_USE).where(*mine, _USE.c.used >= count).values(used=_USE.c.used - count))

    def used(self, user_id: str) -> int:
        """Return how many there were today of a user."""
        with self._database.connect() as connection:
            return int(connection.execute(select(_USE.c.used).where(*self._mine(user_id))).scalar() or 0)

    def _mine(self, user_id: str) -> tuple[Any, ...]:
        return (_USE.c.subject == user_id, _USE.c.quota == self._kind, _USE.c.day == day_name(time.time()))


def day_name(now: float) -> str:
    """Return the UTC day of a moment, such as 2026-07-22."""
    return time.strftime("%Y-%m-%d", time.gmtime(now))


def running_bots(database: Engine, season_id: str, user_id: str) -> int:
    """Return how many bots of a user take part in a season."""
    query = (
        select(func.count()).select_from(_BOTS).join(_ENTRIES, _ENTRIES.c.bot_id == _BOTS.c.id)
        .where(_ENTRIES.c.season_id == season_id, _BOTS.c.owner_id == user_id, _ENTRIES.c.status.not_in(_GONE))
    )  # fmt: skip
    with database.connect() as connection:
        return int(connection.execute(query).scalar_one())


def quota_documents(database: Engine, limits: QuotaLimits, season_id: str, caller: Caller) -> list[dict[str, Any]]:
    """Return a user's quotas with what is used of them; `limit` is None where there is none."""
    if caller.user_id is None:
        return []
    now = time.time()
    free = caller.admin
    daily = [
        {
            "quota": f"{kind} a day", "limit": (limits.daily.get(kind) or None) if not free else None,
            "used": DailyQuota(database, limits, kind).used(caller.user_id), "resets_at": (now // _DAY + 1) * _DAY,
        }
        for kind in Daily
    ]  # fmt: skip
    bots = running_bots(database, season_id, caller.user_id)
    return [
        {"quota": "bots", "limit": (limits.bots or None) if not free else None, "used": bots, "resets_at": None},
        *daily,
        {"quota": "requests a minute", "limit": limits.requests_a_minute or None, "used": None, "resets_at": None},
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of a minute's requests; `reset` is seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """Return the fields that tell a client, of the IETF's draft and as most clients read them."""
        return {
            "ratelimit-policy": f'"minute";q={self.limit};w=60',
            "ratelimit": f'"minute";r={self.remaining};t={self.reset}',
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset),
        }


class RequestRate:
    """Requests a minute by user or address, over a sliding window; used by the event loop only."""

    def __init__(self, a_minute: int) -> None:
        self._item = RateLimitItemPerMinute(a_minute) if a_minute else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage()) if a_minute else None

    @property
    def limited(self) -> bool:
        """Say whether there is a limit."""
        return self._item is not None

    async def hit(self, subject: str) -> Rate | None:
        """Count a request; None where there is no limit."""
        if self._item is None or self._limiter is None:
            return None
        allowed = await self._limiter.hit(self._item, subject)
        stats = await self._limiter.get_window_stats(self._item, subject)
        reset = max(1, math.ceil(stats.reset_time - time.time()))
        return Rate(allowed, self._item.amount, max(0, stats.remaining), reset)
