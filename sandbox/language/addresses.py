"""Keeps the addresses of objects out of what a bot sees: printed forms, hashes, and with them the order of sets.

CPython prints and hashes what has no form or hash of its own by its address, which differs between processes
and with all that ran before. Here, once in a process that is for bots alone, these defaults are replaced where
they are defined, so that every set, dict and text follows:

- objects hash by a number, given when one is first asked for (by type alone where nobody can tell when they are
  gone), and print without an address;
- None and NaN hash by value.

(An array of objects holds addresses; `modules/raw_bytes.py` keeps its bytes back.)

Classes have their numbers before that: see `class_numbers`.

Types of C keep such functions in slots (`PyTypeObject`, Include/cpython/object.h), which are set by hand; what
library code has filed under the old hashes is filed anew.
"""

from __future__ import annotations

import collections
import ctypes
import decimal
import functools
import gc
import math
import types
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from sandbox.language import class_numbers
from sandbox.language.bot_classes import HASHED, number_hash
from sandbox.language.modules.members import BY_METHOD, all_classes, replace_members, replace_special, slot
from sandbox.language.modules.services import Services

_TYPE, _WEAKREF_HASH, _SET_HASH = 8, 32, 48
_done = False


def hide_addresses(services: Services) -> None:
    """Replace the defaults; once, when all library classes have been made."""
    global _done  # noqa: PLW0603 - it is done to a process
    if _done:
        return
    _done = True
    class_numbers.finish()
    services.number_class = class_numbers.number_class
    for cache in (each for each in gc.get_objects() if type(each) is type(functools.lru_cache(len))):
        cache.cache_clear()
    kinds = all_classes(object)
    _hash_by_number(kinds)
    _print_plainly(kinds)
    # What is filed in an order of addresses gets no numbers in that order.
    HASHED.counting = False
    _file_anew()
    HASHED.counting = True
    if repr(len) != "<built-in function len>" or hash(math.nan) != 0:
        raise RuntimeError("the layout of type objects is not the one that is known")


# -- hashes ---------------------------------------------------------------------------------------


def _hash_function(self: types.FunctionType) -> int:
    # Its own name can be changed, and then it may have been hashed already.
    return hash((self.__code__.co_qualname, HASHED.of(self)))


def _hash_builtin(self: Any) -> int:
    return hash((HASHED.of(self.__self__), self.__name__))


def _hash_bound(self: Any) -> int:
    return hash((HASHED.of(self.__self__), self.__func__))


def _hash_by_number(kinds: list[type]) -> None:
    by_address = slot(object, "__hash__").value
    constant = ctypes.cast(ctypes.pythonapi.PyImport_GetMagicNumber, ctypes.c_void_p).value or 0
    for kind in kinds:
        place = slot(kind, "__hash__")
        if place.value == by_address:
            # None is a key so often that it gets a constant of C's.
            place.value = constant if kind is type(None) else BY_METHOD["__hash__"]
    # What classes have taken over from `object` must be their own before it goes.
    replace_members(type, __hash__=object.__dict__["__hash__"])
    replace_members(object, __hash__=number_hash)
    replace_members(types.FunctionType, __hash__=_hash_function)
    replace_special(types.MethodType, "__hash__", _hash_bound)
    for kind in (types.BuiltinFunctionType, types.MethodWrapperType):
        replace_special(kind, "__hash__", _hash_builtin)
    for kind in (float, complex, *_subclasses(np.inexact)):
        replace_special(kind, "__hash__", _by_value(kind))
    replace_special(decimal.Decimal, "__hash__", _hash_decimal)


def _subclasses(kind: type) -> Iterator[type]:
    return (each for each in all_classes(kind) if "__hash__" in each.__dict__)


def _by_value(kind: type) -> Any:
    real: Any = kind.__hash__

    def hash_number(self: Any) -> int:
        return int(real(self)) if self == self else 0  # noqa: PLR0124 - only NaN differs from itself

    return hash_number


_decimal_hash = decimal.Decimal.__hash__


def _hash_decimal(self: decimal.Decimal) -> int:
    return 0 if self.is_qnan() else _decimal_hash(self)


# -- printed forms --------------------------------------------------------------------------------


def _print_object(self: object) -> str:
    kind = type(self)
    home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"<{home}{kind.__qualname__} object>"


def _print_function(self: Any) -> str:
    return f"<function {self.__qualname__}>"


def _print_generator(self: Any) -> str:
    return f"<{type(self).__name__} object {self.__qualname__}>"


def _print_builtin(self: Any) -> str:
    owner = self.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return f"<built-in function {self.__name__}>"
    return f"<built-in method {self.__name__} of {type(owner).__name__} object>"


def _print_wrapper(self: Any) -> str:
    return f"<method-wrapper '{self.__name__}' of {type(self.__self__).__name__} object>"


def _print_generator_of_numpy(self: Any) -> str:
    return str(self)


def _print_plainly(kinds: list[type]) -> None:
    by_address = slot(object, "__repr__").value
    for kind in kinds:
        place = slot(kind, "__repr__")
        if place.value == by_address:
            place.value = BY_METHOD["__repr__"]
    replace_members(object, __repr__=_print_object)
    forms = {
        types.FunctionType: _print_function,
        types.GeneratorType: _print_generator,
        types.CoroutineType: _print_generator,
        types.AsyncGeneratorType: _print_generator,
        types.BuiltinFunctionType: _print_builtin,
        types.MethodWrapperType: _print_wrapper,
        type(np.mean): _print_function,
        type(np.random.Generator.normal): _print_function,
        np.random.Generator: _print_generator_of_numpy,
        np.random.RandomState: _print_generator_of_numpy,
        **dict.fromkeys(
            (types.CodeType, types.FrameType, types.CellType, memoryview, weakref.ref, types.TracebackType),
            _print_object,
        ),
    }
    for kind, function in forms.items():
        replace_special(kind, "__repr__", function)


# -- what is filed under old hashes ---------------------------------------------------------------


def _file_anew() -> None:
    """Refill every dict and set that has keys whose hash has changed."""
    gc.collect()
    objects = gc.get_objects()
    # A dict of keys and values that hold no others is in no list of the collector.
    dicts = {id(each): each for each in [*objects, *gc.get_referents(*objects)] if isinstance(each, dict)}
    for reference in (each for each in objects if isinstance(each, weakref.ref)):
        ctypes.c_ssize_t.from_address(id(reference) + _WEAKREF_HASH).value = -1
    for table in dicts.values():
        if any(type(key) is not str for key in dict.keys(table)):
            how = collections.OrderedDict if isinstance(table, collections.OrderedDict) else dict
            items = list(how.items(table))
            how.clear(table)
            dict.update(table, items) if how is dict else how.update(table, items)
    for held in objects:
        if isinstance(held, set | frozenset) and any(type(key) is not str for key in held):
            _refill(held)


def _refill(held: Any) -> None:
    members, kind = list(held), type(held)
    own = ctypes.c_size_t.from_address(id(held) + _TYPE)
    # A frozen one has the same layout, and its own hash beside.
    own.value = id(set)
    set.clear(held)
    set.update(held, members)
    own.value = id(kind)
    ctypes.c_ssize_t.from_address(id(held) + _SET_HASH).value = -1
