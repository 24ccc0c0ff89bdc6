"""Kinds of containers, of plain objects, of iterators that say where they are, and of exceptions."""

from __future__ import annotations

import collections
import gc
import itertools
import re
import types
from collections.abc import Callable
from typing import Any

from sandbox.language import names
from sandbox.language.bot_classes import is_bot_class
from sandbox.memory import layout
from sandbox.memory.kinds import (
    CannotRestoreError,
    Get,
    Kind,
    no_parts,
    register,
    restore_state,
    state_of,
    table_of,
)
from sandbox.memory.walk import CannotSaveError, Walk

# -- containers ---------------------------------------------------------------------------------------


def _base(own: Any, kind: Any) -> Any:
    return kind if own is None else own


register(
    Kind(
        "list", no_parts, lambda _p, _g, own: list.__new__(_base(own, list)),
        lambda value, walk: walk.values(list(list.__iter__(value))),
        lambda value, content, get: list.__setitem__(value, slice(None), [get(item) for item in content]),
    ),
    list,
)  # fmt: skip


def _tuple_parts(value: Any, walk: Walk) -> Any:
    return walk.values(list(tuple.__iter__(value)))


register(
    Kind("tuple", _tuple_parts, lambda parts, get, own: tuple.__new__(_base(own, tuple), map(get, parts))), tuple
)  # fmt: skip


def _set_parts(value: Any, walk: Walk) -> Any:
    members, *table = layout.read_set(value)
    return walk.values(members), table


def _fill_set(value: Any, content: Any, get: Get) -> None:
    members, (places, hashes, left, mask, finger) = content
    if isinstance(value, set):
        set.clear(value)
    layout.write_set(value, [get(member) for member in members], places, hashes, left, mask, finger)


def _make_frozen(parts: Any, get: Get, own: Any) -> Any:
    made: Any = frozenset.__new__(_base(own, frozenset))
    _fill_set(made, parts, get)
    return made


register(Kind("set", no_parts, lambda _p, _g, own: set.__new__(_base(own, set)), _set_parts, _fill_set), set)
register(Kind("frozenset", _set_parts, _make_frozen), frozenset)

_QUIET_KEYS: set[type] = {type(None), bool, int, float, str, bytes, complex}


def quiet_key(key: Any) -> bool:
    """Say whether hashing and comparing a key runs nothing but the library's own code."""
    return type(key) in _QUIET_KEYS or (type(key) is tuple and all(map(quiet_key, key)))


_FACTORY: Any = collections.defaultdict.__dict__["default_factory"]


def _dict_content(value: Any, walk: Walk) -> Any:
    factory = _FACTORY.__get__(value) if isinstance(value, collections.defaultdict) else None
    keys, items = list(dict.__iter__(value)), list(dict.values(value))
    if isinstance(value, collections.OrderedDict):
        # Its order is its own, not that of the dict in it.
        if not all(map(quiet_key, keys)):
            raise CannotSaveError("an OrderedDict whose keys have a hash of the bot's own")
        keys = list(collections.OrderedDict.__iter__(value))
        items = [dict.__getitem__(value, key) for key in keys]
    if value is walk.world.namespace:
        pairs = [(key, item) for key, item in zip(keys, items, strict=True) if names.is_plain(key)]
        keys, items = [key for key, _ in pairs], [item for _, item in pairs]
        return None, keys, walk.values(items, keys, "."), None
    hashes = None
    if not all(map(quiet_key, keys)):
        hashes = layout.key_hashes(value)
        if len(set(hashes)) < len(hashes):
            raise CannotSaveError("a dict with two keys of the same hash")
    return walk.put(factory), walk.values(keys), walk.values(items, keys), hashes


def _fill_dict(value: Any, content: Any, get: Get) -> None:
    factory, keys, items, hashes = content
    if value is get.world.namespace:  # type: ignore[attr-defined]
        _fill_namespace(value, keys, items, get)
        return
    ordered = isinstance(value, collections.OrderedDict)
    (collections.OrderedDict if ordered else dict).clear(value)
    if isinstance(value, collections.defaultdict):
        _FACTORY.__set__(value, get(factory))
    pairs = zip(map(get, keys), map(get, items), strict=True)
    if hashes is not None and not ordered:
        for (key, item), number in zip(pairs, hashes, strict=True):
            layout.insert(value, key, item, number)
        return
    store = collections.OrderedDict.__setitem__ if ordered else dict.__setitem__
    for key, item in pairs:
        if not quiet_key(key):
            raise CannotRestoreError("a key without its hash")
        store(value, key, item)


def _fill_namespace(value: dict[str, Any], keys: Any, items: Any, get: Get) -> None:
    if not all(names.is_plain(key) for key in keys):
        raise CannotRestoreError("a name that no module has")
    told = dict(zip(keys, map(get, items), strict=True))
    for key in [key for key in value if names.is_plain(key) and key not in told]:
        del value[key]
    value.update(told)


def _register_dict(kind: Any) -> None:
    def make(_parts: Any, _get: Get, own: Any) -> Any:
        return kind.__new__(_base(own, kind))

    register(Kind(kind.__name__, no_parts, make, _dict_content, _fill_dict), kind)


for _kind in (dict, collections.defaultdict, collections.OrderedDict, collections.Counter):
    _register_dict(_kind)


def _deque_content(value: Any, walk: Walk) -> Any:
    return walk.values(list(collections.deque.__iter__(value)))


def _make_deque(parts: Any, _get: Get, own: Any) -> Any:
    made: Any = collections.deque.__new__(_base(own, collections.deque))
    collections.deque.__init__(made, (), parts)
    return made


def _fill_deque(value: Any, content: Any, get: Get) -> None:
    collections.deque.clear(value)
    collections.deque.extend(value, map(get, content))


register(
    Kind("deque", lambda value, _w: collections.deque.maxlen.__get__(value), _make_deque, _deque_content, _fill_deque),
    collections.deque,
)  # fmt: skip


def _fill_bytes(value: bytearray, content: Any, _get: Get) -> None:
    value[:] = content


register(
    Kind("bytearray", no_parts, lambda *_: bytearray(), lambda value, _w: bytes(value), _fill_bytes), bytearray
)  # fmt: skip


def _fill_maps(value: Any, content: Any, get: Get) -> None:
    object.__setattr__(value, "maps", get(content))


register(
    Kind(
        "chain map", no_parts, lambda _p, _g, own: object.__new__(_base(own, collections.ChainMap)),
        lambda value, walk: walk.put(table_of(value)["maps"]), _fill_maps,  # type: ignore[index]
    ),
    collections.ChainMap,
)  # fmt: skip


def _mapping_parts(value: Any, walk: Walk) -> Any:
    (mapping,) = gc.get_referents(value)
    return walk.put(mapping)


def _make_mapping(parts: Any, get: Get, _own: Any) -> Any:
    mapping = get(parts)
    if type(mapping) is not dict or mapping is get.world.namespace:  # type: ignore[attr-defined]
        raise CannotRestoreError("a view of what is not a dict")
    return types.MappingProxyType(mapping)


register(Kind("mapping", _mapping_parts, _make_mapping), types.MappingProxyType)

# -- plain objects --------------------------------------------------------------------------------------


def _make_object(_parts: Any, _get: Get, own: Any) -> Any:
    if own is None:
        return object.__new__(object)
    return object.__new__(own)


register(Kind("object", no_parts, _make_object), object)


def _make_namespace(_parts: Any, get: Get, own: Any) -> Any:
    kind = get.world.library.things["types", "SimpleNamespace"]  # type: ignore[attr-defined]
    return kind.__new__(_base(own, kind))


SIMPLE_NAMESPACE = register(Kind("namespace", no_parts, _make_namespace, state_of, restore_state))


# Of an heir, the value alone: a bot may have given its class an `__int__` of its own.
_VALUE_OF: dict[type, Callable[[Any], Any]] = {
    int: int.__int__, float: float.__float__, complex: complex.__complex__, str: str.__str__, bytes: bytes.__bytes__,
}  # fmt: skip


def _register_value(kind: type, value_of: Callable[[Any], Any]) -> None:
    """Register the bot's heirs of a type of values; those of the type itself are written as they are."""

    def make(parts: Any, _get: Get, own: Any) -> Any:
        if type(parts) is not kind or own is None:
            raise CannotRestoreError("a value of another type")
        return kind.__new__(own, parts)

    register(Kind(kind.__name__, lambda value, _walk: value_of(value), make), kind)


for _value, _reader in _VALUE_OF.items():
    _register_value(_value, _reader)

register(
    Kind("slice", lambda v, walk: walk.values((v.start, v.stop, v.step)), lambda p, get, _o: slice(*map(get, p))), slice
)  # fmt: skip
register(Kind("range", lambda v, _w: (v.start, v.stop, v.step), lambda parts, _g, _o: range(*parts)), range)
register(
    Kind("pattern", lambda v, _w: (v.pattern, v.flags), lambda parts, _g, _o: re.compile(parts[0], parts[1])),
    re.Pattern,
)  # fmt: skip


# Those that say how far they are. What has come out of another one cannot be told from it.
_ITERATORS: tuple[type, ...] = (
    type(iter([])), type(iter(())), type(iter(range(0))), enumerate, zip, map, filter, itertools.count,
    itertools.cycle, itertools.repeat, itertools.chain, itertools.islice,
)  # fmt: skip
_MAKERS: dict[str, Any] = {"iter": iter, **{kind.__name__: kind for kind in _ITERATORS[3:]}}


def _reduced(value: Any) -> Any:
    # It is asked by its type: a bot has no part in it.
    kind: Any = type(value)
    return kind.__reduce__(value)


def _iterator_parts(value: Any, walk: Walk) -> Any:
    maker, args, *_ = _reduced(value)
    if maker is not iter and maker is not type(value):
        raise CannotSaveError("an iterator that cannot say where it is")
    if any(is_bot_class(type(arg)) for arg in args):
        raise CannotSaveError("an iterator over an object of the bot's own")
    return maker.__name__, walk.values(args)


def _iterator_content(value: Any, walk: Walk) -> Any:
    _, _, *state = _reduced(value)
    return walk.put(state[0] if state else None)


def _fill_iterator(value: Any, content: Any, get: Get) -> None:
    state = get(content)
    if state is not None:
        value.__setstate__(state)


def _make_iterator(parts: Any, get: Get, _own: Any) -> Any:
    maker, args = parts
    given = [get(arg) for arg in args]
    # To iterate over a bot's own object would call it.
    if any(is_bot_class(type(arg)) for arg in given):
        raise CannotRestoreError("an iterator over an object of the bot's own")
    return _MAKERS[maker](*given)


# Filled last: a place in a list that is still empty would be its end.
ITERATOR = register(
    Kind("iterator", _iterator_parts, _make_iterator, _iterator_content, _fill_iterator), *_ITERATORS
)  # fmt: skip


def _exception_parts(value: BaseException, walk: Walk) -> Any:
    kind = type(value)
    host = next(base for base in type.mro(kind) if not is_bot_class(base))
    trace: Any = BaseException.__dict__["__traceback__"].__get__(value)
    if trace is not None:
        raise CannotSaveError(f"a {host.__name__} that has been raised")
    # One that is larger keeps more than its arguments (a file's name, a place in a text).
    if host.__basicsize__ != BaseException.__basicsize__:
        raise CannotSaveError(f"a {host.__name__}, which keeps more than its arguments")
    args: Any = BaseException.__dict__["args"].__get__(value)
    return walk.put(host), walk.put(args)


def _make_exception(parts: Any, get: Get, own: Any) -> Any:
    host, args = map(get, parts)
    if not (isinstance(host, type) and issubclass(host, BaseException)) or is_bot_class(host):
        raise CannotRestoreError("an exception of no class")
    made = host.__new__(_base(own, host))
    BaseException.__dict__["args"].__set__(made, args)
    return made


def _exception_content(value: Any, walk: Walk) -> Any:
    linked = [BaseException.__dict__[name].__get__(value) for name in _LINKS]
    own = None if is_bot_class(type(value)) else state_of(value, walk)
    return walk.values(linked), own, BaseException.__dict__["__suppress_context__"].__get__(value)


def _fill_exception(value: Any, content: Any, get: Get) -> None:
    linked, own, suppressed = content
    for name, found in zip(_LINKS, linked, strict=True):
        BaseException.__dict__[name].__set__(value, get(found))
    BaseException.__dict__["__suppress_context__"].__set__(value, bool(suppressed))
    restore_state(value, own, get)


_LINKS = ("__cause__", "__context__")
register(
    Kind("exception", _exception_parts, _make_exception, _exception_content, _fill_exception), BaseException
)  # fmt: skip
