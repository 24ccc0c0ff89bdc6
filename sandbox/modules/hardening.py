"""Two functions of the standard library that would let a bot choose special names, held to plain ones.

They are replaced in this process before it forks: other library code reaches them by their modules.
"""

from __future__ import annotations

import enum
import functools
import warnings
from collections.abc import Mapping
from typing import Any

from sandbox.botclass import MODULE_NAME, is_bot_class
from sandbox.universe import BASES

_done = False


def harden() -> None:
    """Replace them, once."""
    global _done  # noqa: PLW0603 - a process is hardened or it is not
    if _done:
        return
    _done = True
    _harden_wrappers()
    _harden_enum()
    # A warning that is shown opens source files; bots have no use for one.
    warnings.simplefilter("ignore")


def _harden_wrappers() -> None:
    real = functools.update_wrapper

    def update_wrapper(wrapper: Any, wrapped: Any, *which: Any, **more: Any) -> Any:
        """Copy names and text, but never the attributes of a class that is not the bot's.

        A wrapper of `str` would else carry `str.format` itself past the guard.
        """
        if isinstance(wrapped, type) and not is_bot_class(wrapped):
            return real(wrapper, wrapped, updated=())
        return real(wrapper, wrapped, *which, **more)

    functools.update_wrapper = update_wrapper


def _harden_enum() -> None:
    real: Any = enum.EnumType._create_  # type: ignore[attr-defined]  # noqa: SLF001

    def _create_(cls: Any, class_name: Any, names: Any, **options: Any) -> Any:
        """Make an enumeration from names that a class statement could have had."""
        if type(class_name) is not str or not class_name.isidentifier():
            raise TypeError("an enumeration's name must be an identifier")
        kind = options.get("type")
        if kind is not None and kind not in BASES and not is_bot_class(kind):
            raise TypeError("this class cannot be mixed into an enumeration")
        options["module"] = MODULE_NAME
        return real(cls, class_name=class_name, names=_plain_names(names), **options)

    enum.EnumType._create_ = _create_  # type: ignore[attr-defined]  # noqa: SLF001


def _plain_names(names: Any) -> list[Any]:
    if isinstance(names, str):
        listed: list[Any] = str.__str__(names).replace(",", " ").split()
    elif isinstance(names, Mapping):
        listed = [(name, names[name]) for name in names]
    else:
        listed = [item if isinstance(item, str) else tuple(item) for item in names]
    for item in listed:
        name = item if isinstance(item, str) else item[0]
        if type(name) is not str or name[:1] == "_":
            raise ValueError(f"'{name}' cannot be the name of a member")
    return listed
