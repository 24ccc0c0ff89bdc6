"""Time as a bot sees it: the clock stands at the tick's time and never moves within a tick.

Everything else of `time` and `datetime` is CPython's own, in UTC.
"""

from __future__ import annotations

import datetime as real  # noqa: ICN001 - `dt` is what bots import it as
import time as real_time
import zoneinfo
from typing import Any

from sandbox.language.modules.facade import Facade, pick
from sandbox.language.modules.members import replace_members
from sandbox.language.modules.services import Services
from sandbox.language.universe import BASES


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""
    return {
        "time": Facade("time", _time(services)),
        "datetime": Facade("datetime", _datetime()),
        "zoneinfo": Facade("zoneinfo", _zoneinfo(services)),
    }


def _time(services: Services) -> dict[str, object]:
    def now() -> float:
        """Return the tick's time in seconds since the epoch."""
        return services.now

    def now_ns() -> int:
        """Return the tick's time in nanoseconds since the epoch."""
        return int(services.now * 1e9)

    def sleep(seconds: float) -> None:
        """Do nothing: no time passes within a tick."""

    def gmtime(seconds: float | None = None) -> real_time.struct_time:
        """Return the UTC time as a struct_time."""
        return real_time.gmtime(services.now if seconds is None else seconds)

    def strftime(form: str, moment: Any = None) -> str:
        """Format a time."""
        return real_time.strftime(form, gmtime() if moment is None else moment)

    def asctime(moment: Any = None) -> str:
        """Return a time as text."""
        return real_time.asctime(gmtime() if moment is None else moment)

    def ctime(seconds: float | None = None) -> str:
        """Return the time as text."""
        return asctime(gmtime(seconds))

    same_ns = dict.fromkeys(("time_ns", "monotonic_ns", "perf_counter_ns"), now_ns)
    same = dict.fromkeys(("time", "monotonic", "perf_counter", "process_time"), now)
    return {
        **same,
        **same_ns,
        **pick(real_time, "struct_time mktime strptime"),
        "sleep": sleep,
        "gmtime": gmtime,
        "localtime": gmtime,
        "strftime": strftime,
        "asctime": asctime,
        "ctime": ctime,
        "timezone": 0,
    }


def replace_library_clock(services: Services) -> None:
    """Have `datetime` itself tell the tick's time in this process, whoever asks.

    The classes are CPython's own: their results, constants, subclasses and parents, and what numpy makes of
    its dates, are all of the same classes, so that only the methods themselves can be the place.
    """

    def today(cls: Any) -> Any:
        """Return the day of the tick."""
        return cls.fromtimestamp(services.now)

    def now(cls: Any, tz: real.tzinfo | None = None) -> Any:
        """Return the time of the tick."""
        return cls.fromtimestamp(services.now, tz)

    def utcnow(cls: Any) -> Any:
        """Return the time of the tick without a zone."""
        return cls.fromtimestamp(services.now, real.UTC).replace(tzinfo=None)

    def utcfromtimestamp(cls: Any, t: float) -> Any:
        """Return a time without a zone."""
        return cls.fromtimestamp(t, real.UTC).replace(tzinfo=None)

    replace_members(real.date, today=classmethod(today))
    replace_members(
        real.datetime,
        now=classmethod(now),
        utcnow=classmethod(utcnow),
        utcfromtimestamp=classmethod(utcfromtimestamp),
    )


def _datetime() -> dict[str, object]:
    BASES.update({real.date, real.datetime})
    return pick(real, "date datetime timedelta timezone tzinfo time UTC MINYEAR MAXYEAR")


def _zoneinfo(services: Services) -> dict[str, object]:
    # A worker has no files: the zones that markets use are read before it is locked.
    zones = {
        name: zoneinfo.ZoneInfo(name)
        for name in (
            "UTC", "America/New_York", "America/Chicago", "America/Los_Angeles", "Europe/London",
            "Europe/Berlin", "Europe/Paris", "Europe/Zurich", "Asia/Tokyo", "Asia/Hong_Kong",
            "Asia/Singapore", "Asia/Shanghai", "Asia/Kolkata", "Australia/Sydney",
        )
    }  # fmt: skip

    def zone(key: str) -> zoneinfo.ZoneInfo:
        """Return a time zone by its name."""
        found = zones.get(key)
        if found is None:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")
        return found

    del services
    return {"ZoneInfo": zone, "ZoneInfoNotFoundError": zoneinfo.ZoneInfoNotFoundError}
