"""Where CPython itself reads or writes memory that is not the object's, as bots could have it do.

Only what gives a bot a hold on memory; what merely overflows the C stack ends the process and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from sandbox.language.modules.members import replace_item_store, replace_special


def mend() -> None:
    """Put sound methods in their place, once in a process."""
    for kind in (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError):
        replace_special(kind, "__str__", _sound_text(kind))
    # python/cpython#120384, mended in 3.13: the places are computed before the values are asked for.
    if sys.version_info < (3, 13):
        replace_item_store(list, _store_item)


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
