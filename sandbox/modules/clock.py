"""Time as a bot sees it: the clock stands at the tick's time and never moves within a tick.

Everything else of `time` and `datetime` is CPython's own, in UTC.
"""

from __future__ import annotations

import datetime as real  # noqa: ICN001 - `dt` is what bots import it as
import time as real_time
import zoneinfo
from typing import Any

from sandbox.modules.facade import Facade, pick
from sandbox.modules.services import Services
from sandbox.universe import BASES


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""
    return {
        "time": Facade("time", _time(services)),
        "datetime": Facade("datetime", _datetime(services)),
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

    def ctime(seconds: float | None = None) -> str:
        """Return the time as text."""
        return real_time.asctime(gmtime(seconds))

    same_ns = dict.fromkeys(("time_ns", "monotonic_ns", "perf_counter_ns"), now_ns)
    same = dict.fromkeys(("time", "monotonic", "perf_counter", "process_time"), now)
    return {
        **same,
        **same_ns,
        **pick(real_time, "struct_time asctime mktime strptime"),
        "sleep": sleep,
        "gmtime": gmtime,
        "localtime": gmtime,
        "strftime": strftime,
        "ctime": ctime,
        "timezone": 0,
    }


def _datetime(services: Services) -> dict[str, object]:  # noqa: C901 - two classes in one scope
    class Kind(type):
        """Makes the stand-ins answer for the real classes in isinstance and issubclass."""

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, stands_for.get(cls, ())) or type.__instancecheck__(cls, instance)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, stands_for.get(cls, ())) or type.__subclasscheck__(cls, kind)

    class date(real.date, metaclass=Kind):  # noqa: N801 - the name bots know
        @classmethod
        def today(cls) -> Any:
            """Return the day of the tick."""
            return cls.fromtimestamp(services.now)

        def __repr__(self) -> str:
            text = super().__repr__()
            return f"datetime.{text}" if type(self) is date else text

    class datetime(real.datetime, metaclass=Kind):  # noqa: N801 - the name bots know
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Any:
            """Return the time of the tick."""
            return cls.fromtimestamp(services.now, tz)

        @classmethod
        def today(cls) -> Any:
            """Return the time of the tick."""
            return cls.fromtimestamp(services.now)

        @classmethod
        def utcnow(cls) -> Any:
            """Return the time of the tick without a zone."""
            return cls.fromtimestamp(services.now, real.UTC).replace(tzinfo=None)

        @classmethod
        def utcfromtimestamp(cls, t: float) -> Any:
            """Return a time without a zone."""
            return cls.fromtimestamp(t, real.UTC).replace(tzinfo=None)

        def __repr__(self) -> str:
            text = super().__repr__()
            return f"datetime.{text}" if type(self) is datetime else text

    stands_for: dict[type, type] = {date: real.date, datetime: real.datetime}
    BASES.update(stands_for)
    for stand_in in stands_for:
        stand_in.__module__ = "datetime"
        stand_in.__qualname__ = stand_in.__name__
    plain = pick(real, "timedelta timezone tzinfo time UTC MINYEAR MAXYEAR")
    return {**plain, "date": date, "datetime": datetime}


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
