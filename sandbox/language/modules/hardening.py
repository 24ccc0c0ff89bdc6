"""Where the standard library would let a bot choose special names, or names that are code.

They are replaced in this process before it forks: other library code reaches them by their modules.
"""

from __future__ import annotations

import collections.abc
import ctypes
import dataclasses
import enum
import functools
import importlib
import keyword
import pprint
import types
import warnings
from collections.abc import Mapping
from typing import Any

from sandbox.language import names
from sandbox.language.bot_classes import MODULE_NAME, is_bot_class
from sandbox.language.modules.facade import handed_out
from sandbox.language.modules.raw_bytes import guard_buffers
from sandbox.language.modules.zeroes import zero_new_arrays
from sandbox.language.universe import BASES, host_types

_IMMUTABLE_FLAG = 1 << 8
_FLAGS_OFFSET = 168
_HEAP_FLAG = 1 << 9
_done = False


def freeze_host_classes() -> list[str]:
    """Harden the library, and make its Python-level classes immutable, as C's own are; return those.

    CPython guards static types by a flag that only C code can set on creation; it is set here by
    hand before any worker is forked (Py_TPFLAGS_IMMUTABLETYPE, Include/object.h).
    """
    harden()
    frozen = []
    for kind in dict.fromkeys((*host_types(), *_abstract(), *handed_out())):
        flags = ctypes.c_ulong.from_address(id(kind) + _FLAGS_OFFSET)
        if flags.value != kind.__flags__:
            raise RuntimeError("the layout of type objects is not the one that is known")
        if flags.value & _HEAP_FLAG and not flags.value & _IMMUTABLE_FLAG:
            flags.value |= _IMMUTABLE_FLAG
            frozen.append(kind.__qualname__)
    return frozen


def _abstract() -> list[type]:
    found = [getattr(collections.abc, name) for name in collections.abc.__all__]
    return [kind for kind in found if isinstance(kind, type)]


def harden() -> None:
    """Replace them, once."""
    global _done  # noqa: PLW0603 - a process is hardened or it is not
    if _done:
        return
    _done = True
    zero_new_arrays()
    guard_buffers()
    _harden_copies()
    _harden_wrappers()
    _harden_enum()
    _harden_fields()
    _harden_dtypes()
    _harden_printing()
    _harden_reads()
    # A warning that is shown opens source files; bots have no use for one.
    warnings.simplefilter("ignore")


def _harden_wrappers() -> None:
    real = functools.update_wrapper

    def update_wrapper(wrapper: Any, wrapped: Any, *which: Any, **more: Any) -> Any:
        """Copy names and text, and of the rest only what has a plain name; of a host's class nothing.

        A wrapper of `str` would else carry `str.format` itself past the guard.
        """
        if isinstance(wrapped, types.ModuleType):
            raise TypeError("a module cannot be wrapped")
        if which or more:
            return real(wrapper, wrapped, *which, **more)
        # A class keeps its module, by which it is known as a bot's.
        copied = functools.WRAPPER_ASSIGNMENTS
        real(wrapper, wrapped, copied[copied[0] == "__module__" and isinstance(wrapper, type) :], ())
        if not isinstance(wrapper, type) and (is_bot_class(wrapped) or not isinstance(wrapped, type)):
            state = getattr(wrapped, "__dict__", {})
            wrapper.__dict__.update({key: item for key, item in state.items() if names.is_plain(key)})
        return wrapper

    functools.update_wrapper = update_wrapper


def _harden_copies() -> None:
    """Have `asdict` and `astuple` copy as bots do; the real one hands its memo to a bot's `__deepcopy__`."""
    from sandbox.language.modules.copying import deepcopy

    dataclasses.copy = types.SimpleNamespace(deepcopy=deepcopy)  # type: ignore[attr-defined]


def _harden_enum() -> None:
    real: Any = enum.EnumType._create_  # type: ignore[attr-defined]

    def _create_(cls: Any, class_name: Any, names: Any, **options: Any) -> Any:
        """Make an enumeration from names that a class statement could have had."""
        if type(class_name) is not str or not class_name.isidentifier():
            raise TypeError("an enumeration's name must be an identifier")
        kind = options.get("type")
        if kind is not None and kind not in BASES and not is_bot_class(kind):
            raise TypeError("this class cannot be mixed into an enumeration")
        options["module"] = MODULE_NAME
        return real(cls, class_name=class_name, names=_plain_names(names), **options)

    enum.EnumType._create_ = _create_  # type: ignore[attr-defined]


def _harden_fields() -> None:
    def __setattr__(self: Any, key: str, value: Any) -> None:  # noqa: N807 - its very name
        """Store an attribute; a name becomes source text of the methods that dataclass makes."""
        if key == "name" and value is not None:
            plain = type(value) is str and value.isidentifier() and not keyword.iskeyword(value)
            if not plain or names.is_dunder(value):
                raise TypeError("a field's name must be a plain identifier")
        object.__setattr__(self, key, value)

    dataclasses.Field.__setattr__ = __setattr__  # type: ignore[method-assign]


def _harden_reads() -> None:
    """Have `asdict`, `replace` and the printer read fields as a bot would: a field's name is the bot's to choose."""
    from sandbox.language.guards import guarded_getattr

    def read(obj: Any, name: Any, *default: Any) -> Any:
        """Read an attribute; the special ones that the library asks for by itself as ever."""
        if type(name) is str and names.is_dunder(name):
            return getattr(obj, name, *default)
        return guarded_getattr(obj, name, *default)

    for module in (dataclasses, pprint):
        module.getattr = read  # type: ignore[attr-defined]


def _harden_printing() -> None:
    """Print and order without addresses."""

    def recursion(thing: Any) -> str:
        return f"<Recursion on {type(thing).__name__}>"

    def by_type(self: Any, other: Any) -> bool:
        """Order what has an order, and the rest by its type alone."""
        try:
            return bool(self.obj < other.obj)
        except TypeError:
            return str(type(self.obj)) < str(type(other.obj))

    printer: Any = pprint
    printer._recursion = recursion  # noqa: SLF001
    printer._safe_key.__lt__ = by_type  # noqa: SLF001


def _harden_dtypes() -> None:
    """Read the shape in a dtype like "(2,3)f8" without Python's own parser, whose use looks like an escape."""

    def shape(text: str) -> Any:
        numbers = [int(part) for part in text.strip("() ").split(",") if part.strip()]
        return tuple(numbers) if "(" in text else numbers[0]

    internal: Any = importlib.import_module("numpy._core._internal")
    internal.ast = types.SimpleNamespace(literal_eval=shape)


def _plain_names(given: Any) -> list[Any]:
    if isinstance(given, str):
        listed: list[Any] = str.__str__(given).replace(",", " ").split()
    elif isinstance(given, Mapping):
        listed = [(name, given[name]) for name in given]
    else:
        listed = [item if isinstance(item, str) else tuple(item) for item in given]
    for item in listed:
        name = item if isinstance(item, str) else item[0]
        if type(name) is not str or name[:1] == "_":
            raise ValueError(f"'{name}' cannot be the name of a member")
    return listed
