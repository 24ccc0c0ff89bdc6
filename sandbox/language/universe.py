"""The closed world: every host type a bot can reach, and which of its attributes are for bots.

From this table follow the few names whose attribute loads or stores need a guard; all other
attribute access in a bot's code is native. A name is guarded as soon as one type keeps it to
itself. Types that are not listed here allow nothing through a guard.
"""

from __future__ import annotations

import abc
import collections
import collections.abc
import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import itertools
import numbers
import operator
import random
import re
import statistics
import time
import types
import zoneinfo
from typing import Any

import numpy as np

from sandbox.language import names
from sandbox.language.modules.facade import Facade
from sandbox.language.state import State

# What a type keeps to itself beside its underscored class attributes; underscored names here are those
# that only its instances have.
_DENIED: dict[type, str] = {
    str: "format format_map",
    type: "mro",
    abc.ABCMeta: "mro register",
    enum.EnumMeta: "mro",
    types.GeneratorType: "gi_frame gi_code gi_yieldfrom gi_running gi_suspended",
    BaseException: "with_traceback",
    AttributeError: "obj",
    functools.cached_property: "lock",
    zoneinfo.ZoneInfo: "from_file no_cache clear_cache",
    contextlib.ExitStack: "_exit_callbacks",
    contextlib.suppress: "_exceptions",
    np.ndarray: "base ctypes data device dump dumps flags getfield resize setfield setflags "
    "to_device tofile view newbyteorder byteswap",
    np.generic: "base data device dump dumps flags getfield resize setfield setflags tofile view "
    "newbyteorder byteswap to_device",
    np.dtype: "base fields metadata newbyteorder subdtype descr",
    np.flatiter: "base",
    np.ndindex: "_it",
    np.random.Generator: "bit_generator spawn",
    # A state with a position outside its key is read past its end.
    np.random.RandomState: "set_state",
    np.ufunc: "resolve_dtypes",
    State: "_owner",
    np.vectorize: "_ufunc _in_and_out_core_dims",
    np.poly1d: "_coeffs _variable",
    np.finfo: "_machar _str_eps _str_epsneg _str_max _str_resolution _str_smallest_normal "
    "_str_smallest_subnormal _str_tiny _fmt",
}

# No way leads to these (every attribute that would is refused by name), so that their public names
# guard nothing; should one be reached all the same, a guard gives nothing out.
UNREACHABLE: tuple[type, ...] = (
    types.FrameType, types.CodeType, types.TracebackType, types.ModuleType, types.CoroutineType,
    types.AsyncGeneratorType, memoryview,
)  # fmt: skip

_EMPTY: dict[str, int] = {}
_PATTERN: Any = re.compile("")
_ITERABLES: tuple[Any, ...] = (
    [], (), "", {}, set(), b"", bytearray(), range(1), range(1 << 70), collections.deque(),
    collections.OrderedDict(), _EMPTY.values(), _EMPTY.items(),
)  # fmt: skip
_REVERSIBLES: tuple[Any, ...] = ([], {}, _EMPTY.values(), _EMPTY.items())

_PLAIN: tuple[type, ...] = (
    object, int, float, complex, bool, bytes, bytearray, list, tuple, dict, set, frozenset, range,
    slice, enumerate, zip, map, filter, reversed, property, staticmethod, classmethod, super,
    types.MappingProxyType, type(None), type(Ellipsis), type(NotImplemented), types.FunctionType,
    types.BuiltinFunctionType, types.MethodType, types.WrapperDescriptorType,
    types.MethodWrapperType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType, types.GenericAlias, types.UnionType,
    types.SimpleNamespace, collections.deque, collections.defaultdict, collections.OrderedDict,
    collections.Counter, collections.ChainMap, functools.partial, type(functools.lru_cache(len)),
    type(functools.lru_cache(len).cache_info()),
    type(functools.cmp_to_key(lambda _one, _other: 0)(1)), operator.itemgetter,
    dt.date, dt.datetime, dt.time, dt.timedelta, dt.timezone,
    dt.tzinfo, type(dt.date.today().isocalendar()), time.struct_time,  # noqa: DTZ011
    decimal.Decimal, decimal.Context, type(decimal.localcontext()), type(decimal.Context().flags),
    decimal.DecimalTuple, fractions.Fraction, statistics.NormalDist, statistics.LinearRegression,
    random.Random, enum.Enum, enum.Flag, enum.auto, enum.property, enum.member, enum.nonmember,
    enum.verify, enum.FlagBoundary, enum.EnumCheck, re.Pattern, re.Match, re.RegexFlag,
    type(_PATTERN.scanner("")), dataclasses.Field, dataclasses.InitVar,
    type(dataclasses.MISSING), type(dataclasses.KW_ONLY), contextlib.closing,
    contextlib.nullcontext, contextlib.ContextDecorator, contextlib.AbstractContextManager,
    type(contextlib.contextmanager(iter)([])), abc.ABC, numbers.Number, Facade,
    np.iinfo, np.errstate, np.ndenumerate, np.broadcast, type(np.mean), type(enum.auto().value),
    type(np.vectorize().pyfunc),
    *(kind for kind in vars(np.dtypes).values() if isinstance(kind, type)),
    type(np.random.default_rng), type(np.random.Generator.normal), ExceptionGroup,
    itertools.accumulate, itertools.chain, itertools.combinations,
    itertools.combinations_with_replacement, itertools.compress, itertools.count,
    itertools.cycle, itertools.dropwhile, itertools.filterfalse, itertools.groupby,
    type(next(itertools.groupby("x"))[1]), itertools.islice, itertools.pairwise,
    itertools.permutations, itertools.product, itertools.repeat, itertools.starmap,
    itertools.takewhile, type(itertools.tee([])[0]), itertools.zip_longest,
    *(type(iter(value)) for value in _ITERABLES), *(type(reversed(value)) for value in _REVERSIBLES),
    type(reversed(collections.deque())), type(iter(int, 1)), type(re.finditer("", "")),
    type({}.keys()), type({}.values()), type({}.items()), type(statistics.LinearRegression.slope),
    *(type(getattr(collections.OrderedDict(), view)()) for view in ("keys", "values", "items")),
)  # fmt: skip

# Underscored names of host types that are part of their public interface.
CONVENTIONAL = frozenset({
    "_asdict", "_replace", "_fields", "_make", "_field_defaults", "_value_", "_name_",
    "_missing_", "_generate_next_value_", "_ignore_", "_order_", "_member_names_", "_member_map_",
    "_value2member_map_",
})  # fmt: skip

# What a bot's class may inherit from, beside exceptions; modules add the stand-ins they make. No
# numpy type is here: a subclass of one accepts stores that change how its memory is read.
BASES: set[type] = {
    object, int, float, complex, str, bytes, list, tuple, dict, set, frozenset,
    collections.deque, collections.defaultdict, collections.OrderedDict, collections.Counter,
    collections.ChainMap, enum.Enum, enum.IntEnum, enum.StrEnum, enum.Flag, enum.IntFlag,
    enum.ReprEnum, abc.ABC, dt.timedelta, dt.time, dt.tzinfo, decimal.Decimal,
    fractions.Fraction, statistics.NormalDist, contextlib.ContextDecorator,
    contextlib.AbstractContextManager, numbers.Number, numbers.Complex, numbers.Real,
    numbers.Rational, numbers.Integral,
    *(kind for kind in vars(collections.abc).values() if isinstance(kind, abc.ABCMeta)),
}  # fmt: skip

# Attribute setters of host objects that would change more than a bot's own data.
_SETTERS: dict[type, str] = {
    np.ndarray: "data dtype flat shape strides",
    decimal.Context: "traps flags",
    # It names the entry of an instance's `__dict__` that is written next.
    functools.cached_property: "attrname",
}


def _public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("__")}


def denied_by(kind: type) -> frozenset[str]:
    """Return the names that this host type keeps to itself."""
    if kind in UNREACHABLE:
        return frozenset(_public(kind))
    listed = _DENIED.get(kind)
    private = {name for name in _public(kind) if name[0] == "_" and name not in CONVENTIONAL}
    if listed is None:
        return frozenset(private)
    return frozenset(private | set(listed.split()))


def host_types() -> frozenset[type]:
    """Return every host type of the closed world."""
    return frozenset(_PLAIN) | frozenset(_DENIED) | frozenset(UNREACHABLE)


class _Sample(enum.Flag):
    """Shows what an enumeration's metaclass puts into every class it makes."""

    A = 1


# Names that library code puts into a bot's own classes, and keeps: found there, they are not the bot's.
MACHINERY = names.MACHINERY | {
    name for kind in _Sample.__mro__ for name in vars(kind)
    if name[0] == "_" != name[1] and name not in CONVENTIONAL
}  # fmt: skip
HOST: dict[type, frozenset[str]] = {kind: denied_by(kind) for kind in host_types()}
GUARDED_LOADS: frozenset[str] = frozenset().union(*(denied for kind, denied in HOST.items() if kind not in UNREACHABLE))
# Allowed, but as copies of what the enumeration itself works with.
VIEWS = frozenset({"_member_map_", "_value2member_map_", "_member_names_"})
# Views of tables that the host works with, which give themselves to whoever they are compared with.
TABLES = frozenset({(re.Pattern, "groupindex"), (dataclasses.Field, "metadata")})
# Given by a stand-in that keeps the context, into which the real ones point (modules/decimal_signals.py).
POINTING = frozenset({"flags", "traps"})
GUARDED_LOADS |= POINTING | VIEWS | MACHINERY | {name for _, name in TABLES} | {"tobytes"}
GUARDED_STORES = frozenset(name for setters in _SETTERS.values() for name in setters.split()) | frozenset(
    name for name in GUARDED_LOADS if name[0] == "_"
)


def is_allowed(kind: type, name: str) -> bool:
    """Say whether an object of exactly this host type gives out the attribute."""
    if kind not in HOST:
        return False
    return all(name not in HOST.get(base, ()) for base in type.mro(kind))
