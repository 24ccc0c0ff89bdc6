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
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np

from sandbox.language import names
from sandbox.language.bot_classes import is_bot_class
from sandbox.language.guards import guarded_getattr
from sandbox.language.modules.facade import Facade, hand_out, pick
from sandbox.language.modules.services import Services
from sandbox.language.special_methods import HostClass, Opaque, TypeOf
from sandbox.language.state import State
from sandbox.language.universe import GUARDED_LOADS, HOST

_SHARED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
           types.TracebackType, types.GeneratorType, np.generic, np.dtype, np.ufunc, zoneinfo.ZoneInfo)  # fmt: skip


# What cannot change, and holds nothing that can.
_ATOMIC = frozenset({
    int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range,
    decimal.Decimal, fractions.Fraction, re.Pattern, re.Match, dt.timedelta, dt.timezone,
})  # fmt: skip


class Memo:
    """What one deep copy has copied so far; a bot passes it on and cannot look into it.

    It is a table by address. A bot that could read it would learn addresses, and one that could write it
    would choose what the parts of an object are rebuilt from.
    """

    __slots__ = ("__kept__", "__made__")

    __made__: dict[int, Any]
    __kept__: list[Any]

    def __init__(self) -> None:
        object.__setattr__(self, "__made__", {})
        object.__setattr__(self, "__kept__", [])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a memo is not the bot's to change")

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "<memo>"


hand_out(Memo)
# Under this name a bot's own dict, given as a memo, keeps the memo between calls.
_HELD = "copied"

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


def deepcopy(x: Any, memo: Any = None) -> Any:
    """Return a deep copy; what occurs twice in the original occurs twice in the copy."""
    table = memo if type(memo) is Memo else _memo_for(memo)
    known = table.__made__.get(id(x), table)
    if known is not table:
        return known
    made = _deep(x, table)
    if made is not x:
        table.__made__[id(x)] = made
        table.__kept__.append(x)  # so that its id stays its own
    return made


def _memo_for(given: object) -> Memo:
    if given is None:
        return Memo()
    if type(given) is dict:
        held = given.get(_HELD) if given else given.setdefault(_HELD, Memo())
        if type(held) is Memo:
            return held
    raise TypeError("a memo cannot be filled by hand: leave it out, or pass on the one that __deepcopy__ was given")


def _deep(x: Any, memo: Memo) -> Any:
    kind = type(x)
    if kind is list:
        made: list[Any] = []
        memo.__made__[id(x)] = made
        made.extend(deepcopy(item, memo) for item in x)
        return made
    if kind is dict:
        table: dict[Any, Any] = {}
        memo.__made__[id(x)] = table
        for key, value in x.items():
            table[deepcopy(key, memo)] = deepcopy(value, memo)
        return table
    if kind is tuple:
        items = [deepcopy(item, memo) for item in x]
        unchanged = all(new is old for new, old in zip(items, x, strict=True))
        return memo.__made__.get(id(x), x if unchanged else tuple(items))
    if kind is np.ndarray:
        return _deep_array(x, memo)
    if isinstance(x, np.random.Generator | np.random.RandomState):
        return _deep_generator(x)
    return _copied(x, "__deepcopy__", lambda value: deepcopy(value, memo), memo)


def _deep_generator(x: Any) -> Any:
    """Return a generator that goes on from the same state, and apart."""
    source = x._bit_generator  # noqa: SLF001
    fresh = type(source)(0)
    fresh.state = source.state
    made = type(x)(fresh)
    if isinstance(x, np.random.RandomState):
        made.set_state(x.get_state(legacy=False))
    return made


def _deep_array(x: Any, memo: Memo) -> Any:
    same = x.copy(order="K")
    if x.dtype.names is not None:
        for name in x.dtype.names:
            if x.dtype[name].hasobject:
                same[name] = _deep_array(x[name], memo)
    elif x.dtype.hasobject:
        memo.__made__[id(x)] = same
        for index in np.ndindex(x.shape):
            same[index] = deepcopy(x[index], memo)
    return same


def _copied(x: Any, method: str, each: Callable[[Any], Any], memo: Memo | None = None) -> Any:  # noqa: PLR0911
    kind = type(x)
    if kind is np.ndarray or kind is np.void:
        return x.copy("K") if kind is np.ndarray else x.copy()
    if kind is State:
        return {key: each(value) for key, value in x.items()}
    if kind in _ATOMIC or isinstance(x, _SHARED) or type(x) in {TypeOf, HostClass, Opaque}:
        return x
    own = is_bot_class(kind)
    if own:
        maker = _class_attribute(kind, method)
        if maker is not None:
            return maker(x) if memo is None else maker(x, memo)
    if not own and not _is_known(kind):
        return x
    if kind in {list, dict, set, bytearray} and memo is None:
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


def _can_be_kept(key: object) -> bool:
    """Say whether an object's state may hold a name; a bot's own class of strings may claim to equal any."""
    return names.is_plain(key) or (type(key) is str and key in _HARMLESS)


def _rebuilt(x: Any, kind: type, each: Callable[[Any], Any], memo: Memo | None) -> Any:
    state = getattr(x, "__dict__", None) if kind.__dictoffset__ else None
    if type(state) is dict and not all(_can_be_kept(key) for key in state):
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
        memo.__made__[id(x)] = made
    _fill(x, made, extra, each)
    _refill(made, items, pairs, each)
    return made


def _refill(made: Any, items: Any, pairs: Any, each: Callable[[Any], Any]) -> None:
    for item in items or ():
        made.append(each(item))
    for key, value in pairs or ():
        made[each(key)] = each(value)


def _fill(x: Any, made: Any, extra: Any, each: Callable[[Any], Any]) -> None:
    if extra is None:
        return
    if not is_bot_class(type(made)) and hasattr(type(made), "__setstate__"):
        made.__setstate__(each(extra))
        return
    state, slots = extra if type(extra) is tuple and len(extra) == 2 else (extra, None)
    # A slot that the bot has deleted shows what a host class behind it keeps: read as a bot would read it.
    shown = {key: guarded_getattr(x, key) if key in GUARDED_LOADS else value for key, value in (slots or {}).items()}
    for table in (state, shown):
        for key, value in (table or {}).items():
            if not _can_be_kept(key):
                raise TypeError(f"cannot copy '{type(made).__name__}' object")
            object.__setattr__(made, key, each(value))
