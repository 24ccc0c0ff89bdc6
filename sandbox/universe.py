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
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import itertools
import numbers
import random
import re
import statistics
import time
import types
import zoneinfo

import numpy as np

from sandbox.modules.facade import Facade

_DENIED: dict[type, str] = {
    str: "format format_map",
    type: "mro",
    abc.ABCMeta: "mro register",
    enum.EnumMeta: "mro",
    types.GeneratorType: "gi_frame gi_code gi_yieldfrom gi_running gi_suspended",
    BaseException: "with_traceback",
    AttributeError: "obj",
    functools.cached_property: "lock",
    np.ndarray: "base ctypes data device dump dumps flags getfield setfield setflags to_device "
    "tofile view newbyteorder byteswap",
    np.generic: "base data device dump dumps flags getfield setfield setflags tofile view "
    "newbyteorder byteswap to_device",
    np.dtype: "base fields metadata newbyteorder subdtype descr",
    np.random.Generator: "bit_generator spawn",
    np.ufunc: "resolve_dtypes",
    np.vectorize: "",
}

# No way leads to these (every attribute that would is refused by name), so that their public names
# guard nothing; should one be reached all the same, a guard gives nothing out.
_UNREACHABLE: tuple[type, ...] = (
    types.FrameType, types.CodeType, types.TracebackType, types.ModuleType, types.CoroutineType,
    types.AsyncGeneratorType, memoryview,
)  # fmt: skip

_PLAIN: tuple[type, ...] = (
    object, int, float, complex, bool, bytes, bytearray, list, tuple, dict, set, frozenset, range,
    slice, enumerate, zip, map, filter, reversed, property, staticmethod, classmethod, super,
    types.MappingProxyType, type(None), type(Ellipsis), type(NotImplemented), types.FunctionType, types.BuiltinFunctionType,
    types.MethodType, types.WrapperDescriptorType, types.MethodWrapperType,
    types.MethodDescriptorType, types.ClassMethodDescriptorType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.GenericAlias, types.UnionType, types.SimpleNamespace,
    collections.deque, collections.defaultdict, collections.OrderedDict, collections.Counter,
    collections.ChainMap, functools.partial, type(functools.lru_cache(len)),
    datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
    datetime.tzinfo, zoneinfo.ZoneInfo, time.struct_time, decimal.Decimal, decimal.Context,
    fractions.Fraction, statistics.NormalDist, random.Random, enum.Enum, enum.Flag, enum.auto,
    re.Pattern, re.Match, dataclasses.Field, dataclasses.InitVar, contextlib.ExitStack, abc.ABC,
    numbers.Number, Facade, np.finfo, np.iinfo, np.errstate, np.ndindex, np.ndenumerate,
    itertools.count, itertools.cycle, itertools.repeat, itertools.chain, itertools.groupby,
    type(iter([])), type(iter(())), type(iter("")), type(iter({})), type(iter(set())),
    type({}.keys()), type({}.values()), type({}.items()),
)  # fmt: skip

# Underscored names of host types that are part of their public interface.
CONVENTIONAL = frozenset({
    "_asdict", "_replace", "_fields", "_make", "_field_defaults", "_value_", "_name_",
    "_missing_", "_generate_next_value_", "_ignore_", "_order_", "_member_names_", "_member_map_",
    "_value2member_map_",
})  # fmt: skip

# Attribute setters of host objects that would change more than a bot's own data.
_SETTERS: dict[type, str] = {
    np.ndarray: "data dtype flat shape strides",
    decimal.Context: "traps flags",
}

_IMMUTABLE_FLAG = 1 << 8
_FLAGS_OFFSET = 168
_HEAP_FLAG = 1 << 9


def _public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("__")}


def denied_by(kind: type) -> frozenset[str]:
    """Return the names that this host type keeps to itself."""
    if kind in _UNREACHABLE:
        return frozenset(_public(kind))
    listed = _DENIED.get(kind)
    private = {name for name in _public(kind) if name[0] == "_" and name not in CONVENTIONAL}
    if listed is None:
        return frozenset(private)
    return frozenset(private | set(listed.split()))


def host_types() -> frozenset[type]:
    """Return every host type of the closed world."""
    return frozenset(_PLAIN) | frozenset(_DENIED) | frozenset(_UNREACHABLE)


HOST: dict[type, frozenset[str]] = {kind: denied_by(kind) for kind in host_types()}
GUARDED_LOADS: frozenset[str] = frozenset().union(
    *(denied for kind, denied in HOST.items() if kind not in _UNREACHABLE)
)
GUARDED_STORES = frozenset(
    name for setters in _SETTERS.values() for name in setters.split()
) | frozenset(name for name in GUARDED_LOADS if name[0] == "_")


def is_allowed(kind: type, name: str) -> bool:
    """Say whether an object of exactly this host type gives out the attribute."""
    if kind not in HOST:
        return False
    return all(name not in HOST.get(base, ()) for base in type.mro(kind))


def freeze_host_classes() -> list[str]:
    """Make the Python-level host classes immutable, as C's own are; return those frozen.

    CPython guards static types by a flag that only C code can set on creation; it is set here by
    hand before any worker is forked (Py_TPFLAGS_IMMUTABLETYPE, Include/object.h).
    """
    frozen = []
    for kind in (*_classes_to_freeze(),):
        flags = ctypes.c_ulong.from_address(id(kind) + _FLAGS_OFFSET)
        if flags.value != kind.__flags__:
            raise RuntimeError("the layout of type objects is not the one that is known")
        if flags.value & _HEAP_FLAG and not flags.value & _IMMUTABLE_FLAG:
            flags.value |= _IMMUTABLE_FLAG
            frozen.append(kind.__qualname__)
    return frozen


def _classes_to_freeze() -> list[type]:
    abstract = [getattr(collections.abc, name) for name in collections.abc.__all__]
    return [*host_types(), *(kind for kind in abstract if isinstance(kind, type))]
