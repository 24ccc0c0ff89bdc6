"""Where CPython itself reads or writes memory that is not the object's, as bots could have it do.

Only what gives a bot a hold on memory; what merely overflows the C stack ends the process and nothing else.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from sandbox.language.modules.members import replace_members, replace_operator, replace_special

# Methods of bytearray that look at its bytes by a place they took before they ask the bot's objects.
_HELD = "find index rfind rindex count startswith endswith hex join"


def mend() -> None:
    """Put sound methods in their place, once in a process."""
    for kind in (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError):
        replace_special(kind, "__str__", _sound_text(kind))
    # python/cpython#120384, mended in 3.13: the places are computed before the values are asked for.
    if sys.version_info < (3, 13):
        replace_operator(list, "__setitem__", _store_item)
    replace_members(bytearray, extend=_extend, **{name: _held(name) for name in _HELD.split()})
    for name in ("__contains__", "__mod__"):
        replace_operator(bytearray, name, _held(name))
    for date in (dt.date, dt.datetime):
        replace_members(date, ctime=_sound_ctime(date.ctime))


def _held(name: str) -> Callable[..., Any]:
    """Return a method of bytearray during which nobody can resize it (python/cpython#142560, #143195)."""
    real = getattr(bytearray, name)

    def method(self: bytearray, /, *args: Any, **more: Any) -> Any:
        if type(self) is not bytearray:
            return real(self, *args, **more)
        with memoryview(self):
            return real(self, *args, **more)

    method.__name__ = method.__qualname__ = name
    return method


_real_extend: Callable[[bytearray, Any], None] = bytearray.extend


def _extend(self: bytearray, items: Any, /) -> None:
    """Append all items; the real one trusts an iterator's hint of its length."""
    _real_extend(self, items if isinstance(items, bytes | bytearray | np.ndarray | np.generic) else list(items))


def _sound_ctime(real: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a `ctime` for years that there are: a date made of bytes can be in the year 0, and that has no weekday."""

    def ctime(self: Any) -> str:
        """Return the date as text."""
        if not dt.MINYEAR <= self.year <= dt.MAXYEAR:
            raise ValueError(f"year {self.year} is out of range")
        return real(self)

    return ctime


def _sound_text(kind: type[UnicodeError]) -> Callable[[Any], str]:
    """Return a `__str__` that looks at the text only within its bounds: the real one takes any `start`."""
    real: Callable[[Any], str] = kind.__str__
    fields = [kind.__dict__[name] for name in ("object", "start", "end", "reason")]
    codec = kind.__dict__.get("encoding")

    def __str__(self: Any) -> str:  # noqa: N807 - its very name
        """Say what cannot be converted, and where."""
        try:
            text, start, end, reason = (field.__get__(self) for field in fields)
            name = "" if codec is None else codec.__get__(self)
        except (AttributeError, TypeError):
            return ""
        # Another class's `__str__` could move the bounds again.
        plain = type(text) in {str, bytes} and type(reason) is str and type(name) is str
        if plain and 0 <= start < len(text) and start <= end <= len(text):
            return real(self)
        return f"can't convert position {start}-{end}: {reason if type(reason) is str else ''}"

    return __str__


_real_store = list.__setitem__


def _store_item(self: list[Any], key: Any, value: Any, /) -> None:
    """Set self[key] to value."""
    if type(key) is slice and type(value) is not list and type(value) is not tuple:
        try:
            items = iter(value)
        except TypeError:
            simple = key.step is None or key.step == 1
            raise TypeError(
                "can only assign an iterable" if simple else "must assign iterable to extended slice"
            ) from None
        value = list(items)
    _real_store(self, key, value)
