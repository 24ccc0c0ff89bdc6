"""`copy` for bots: what the real module does, without asking objects how they want to be taken apart.

The real one does whatever an object's `__reduce_ex__` says: call any callable, set any attribute.
Here containers are copied by type, a bot's objects by their state, and anything else is shared.
"""

from __future__ import annotations

import copy as real
import datetime as dt
import decimal
import fractions
import functools
import re
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from sandbox import names
from sandbox.botclass import is_bot_class
from sandbox.modules.facade import Facade, pick
from sandbox.modules.services import Services
from sandbox.special import HostClass, Opaque, TypeOf
from sandbox.universe import HOST

Memo = dict[int, Any]

_SHARED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
           types.TracebackType, types.GeneratorType, np.generic)  # fmt: skip


# What cannot change, and holds nothing that can.
_ATOMIC = frozenset({
    int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range,
    decimal.Decimal, fractions.Fraction, re.Pattern, re.Match, dt.timedelta, dt.timezone,
})  # fmt: skip


# Special names that notes on exceptions and wrapped functions leave in an object's state.
_HARMLESS = frozenset({"__notes__", "__wrapped__", *functools.WRAPPER_ASSIGNMENTS})


def build(services: Services) -> dict[str, Facade]:
    """Return the facade of this file."""
    del services
    members = {**pick(real, "Error error"), "copy": copy, "deepcopy": deepcopy}
    return {"copy": Facade("copy", members)}


def copy(x: Any) -> Any:
    """Return a shallow copy."""
    return _copied(x, "__copy__", lambda value: value)


def deepcopy(x: Any, memo: Memo | None = None) -> Any:
    """Return a deep copy; what occurs twice in the original occurs twice in the copy."""
    if type(memo) is not dict:
        memo = {}
    known = memo.get(id(x), memo)
    if known is not memo:
        return known
    made = _deep(x, memo)
    if made is not x:
        memo[id(x)] = made
        memo.setdefault(id(memo), []).append(x)  # keeps it alive, so that its id stays its own
    return made


def _deep(x: Any, memo: Memo) -> Any:
    kind = type(x)
    if kind is list:
        made: list[Any] = []
        memo[id(x)] = made
        made.extend(deepcopy(item, memo) for item in x)
        return made
    if kind is dict:
        table: dict[Any, Any] = {}
        memo[id(x)] = table
        for key, value in x.items():
            table[deepcopy(key, memo)] = deepcopy(value, memo)
        return table
    if kind is tuple:
        items = [deepcopy(item, memo) for item in x]
        unchanged = all(new is old for new, old in zip(items, x, strict=True))
        return memo.get(id(x), x if unchanged else tuple(items))
    if kind is np.ndarray and x.dtype.hasobject:
        same = np.empty(x.shape, dtype=object)
        for index in np.ndindex(x.shape):
            same[index] = deepcopy(x[index], memo)
        return same
    return _copied(x, "__deepcopy__", lambda value: deepcopy(value, memo), memo)


def _copied(x: Any, method: str, each: Callable[[Any], Any], memo: Memo | None = None) -> Any:
    kind = type(x)
    if kind in _ATOMIC or isinstance(x, _SHARED) or type(x) in {TypeOf, HostClass, Opaque}:
        return x
    own = is_bot_class(kind)
    if own:
        maker = _class_attribute(kind, method)
        if maker is not None:
            return maker(x) if memo is None else maker(x, memo)
    if not own and not _is_known(kind):
        return x
    if kind in {list, dict, set, bytearray, np.ndarray} and memo is None:
        return x.copy()
    return _rebuilt(x, kind, each, memo)


def _class_attribute(kind: type, name: str) -> Any:
    for base in type.mro(kind):
        if name in base.__dict__:
            return getattr(kind, name)
    return None


def _is_known(kind: type) -> bool:
    """Say whether this host type may be taken apart: a value of the closed world, by its C code."""
    return any(base in HOST for base in type.mro(kind)[:-1]) and not issubclass(kind, Facade)


def _rebuilt(x: Any, kind: type, each: Callable[[Any], Any], memo: Memo | None) -> Any:
    state = getattr(x, "__dict__", None) if kind.__dictoffset__ else None
    if type(state) is dict and any(
        type(key) is not str or (names.is_dunder(key) and key not in _HARMLESS) for key in state
    ):
        raise TypeError(f"cannot copy '{kind.__name__}' object")
    taken: Any = kind.__reduce_ex__(x, 4)  # type: ignore[call-arg]
    if type(taken) is not tuple:
        return x
    make, arguments, extra, items, pairs = (*taken, None, None, None)[:5]
    if make is not kind and getattr(make, "__module__", None) == "bot":
        raise TypeError(f"cannot copy '{kind.__name__}' object")
    made: Any = make(*(each(argument) for argument in arguments))
    if kind is not type(made):
        return made
    if memo is not None:
        memo[id(x)] = made
    _fill(made, extra, each)
    _refill(made, items, pairs, each)
    return made


def _refill(made: Any, items: Any, pairs: Any, each: Callable[[Any], Any]) -> None:
    for item in items or ():
        made.append(each(item))
    for key, value in pairs or ():
        made[each(key)] = each(value)


def _fill(made: Any, extra: Any, each: Callable[[Any], Any]) -> None:
    if extra is None:
        return
    if not is_bot_class(type(made)) and hasattr(type(made), "__setstate__"):
        made.__setstate__(each(extra))
        return
    state, slots = extra if type(extra) is tuple and len(extra) == 2 else (extra, None)
    for table in (state, slots):
        for key, value in (table or {}).items():
            if type(key) is not str or (names.is_dunder(key) and key not in _HARMLESS):
                raise TypeError(f"cannot copy '{type(made).__name__}' object")
            object.__setattr__(made, key, each(value))
