"""What is saved of each kind of object: the parts that it is made from, and the content that can change."""

from __future__ import annotations

import collections
import enum
import functools
import gc
import itertools
import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.language import names
from sandbox.language.bot_classes import is_bot_class
from sandbox.language.guards import guarded_getattr
from sandbox.language.universe import MACHINERY, VIEWS
from sandbox.memory import layout
from sandbox.memory.walk import ATOMS, CannotSaveError, Walk

Get = Callable[[Any], Any]
BOT_FILE = "bot.py"


class CannotRestoreError(Exception):
    """A snapshot holds what cannot have been saved."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How objects of one kind are saved and made anew; without `make` they can only be named.

    `parts` are what one is made from, `content` what is filled in once all objects are there. An object of a class
    of the bot's is made as one of that class.
    """

    name: str
    parts: Callable[[Any, Walk], Any]
    make: Callable[[Any, Get, Any], Any] | None = None
    content: Callable[[Any, Walk], Any] | None = None
    fill: Callable[[Any, Any, Get], None] | None = None

    def look(self, value: Any, own: type | None, walk: Walk) -> None:
        """Take note of all parts, as far as there are any to be seen."""
        try:
            self.parts(value, walk)
            content_of(self, own, value, walk, -1)
        except (CannotSaveError, layout.LayoutError):
            # It is said at a snapshot, if the bot still has it then.
            return


KINDS: dict[type, Kind] = {}
BY_NAME: dict[str, Kind] = {}


def register(kind: Kind, *types_: type) -> Kind:
    """Make a kind known for these types."""
    BY_NAME[kind.name] = kind
    KINDS.update(dict.fromkeys(types_, kind))
    return kind


def no_parts(_value: Any, _walk: Walk) -> Any:
    """Return that an object is made from nothing."""
    return None


def kind_of(value: Any) -> tuple[Kind | None, type | None]:
    """Return an object's kind, and its class if that is the bot's own."""
    kind = type(value)
    if kind is types.FunctionType and value.__code__.co_filename != BOT_FILE:
        return LIBRARY_FUNCTION, None
    found = KINDS.get(kind)
    if found is not None:
        return found, None
    if isinstance(value, type):
        return (CLASS if is_bot_class(value) else None), None
    if isinstance(kind, enum.EnumMeta):
        return MEMBER, kind
    if is_bot_class(kind):
        return next((KINDS[base] for base in type.mro(kind) if base in KINDS), None), kind
    return _unusual(value), None


def _unusual(value: Any) -> Kind | None:
    home = type(value).__module__
    if isinstance(value, BaseException):
        return KINDS[BaseException]
    return LEAF if home in _LEAF_HOMES else None


# -- state of a bot's own objects --------------------------------------------------------------------


# Special names that library code leaves in an object's state: notes on an exception, what a function wraps.
_LEFT = frozenset({"__notes__", "__wrapped__"})


def _saved_name(name: Any) -> bool:
    return names.is_plain(name) or name in _LEFT


def table_of(value: Any) -> dict[str, Any] | None:
    """Return an object's own `__dict__`, None where it has none."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return found if type(found) is dict else None


def _state(value: Any, walk: Walk) -> Any:
    table = table_of(value)
    if table is None:
        return None
    saved = [name for name in table if _saved_name(name)]
    return saved, walk.values([table[name] for name in saved], saved, ".")


def _restore_state(value: Any, state: Any, get: Get) -> None:
    table = table_of(value)
    if state is None:
        return
    keys, found = state
    if table is None or not all(type(key) is str and _saved_name(key) for key in keys):
        raise CannotRestoreError("attributes that no object has")
    kept = {key: item for key, item in table.items() if not _saved_name(key)}
    table.clear()
    table.update(kept)
    table.update(zip(keys, map(get, found), strict=True))


def _slots(own: type) -> list[tuple[str, Any]]:
    return [
        (name, member) for base in type.mro(own) if is_bot_class(base)
        for name, member in type.__dict__["__dict__"].__get__(base).items()
        if type(member) is types.MemberDescriptorType
    ]  # fmt: skip


def content_of(kind: Kind, own: type | None, value: Any, walk: Walk, number: int) -> Any:
    """Return all that can change about an object, None if nothing can."""
    if kind is CLASS:
        return _attributes(value, walk, number)
    content = None if kind.content is None else kind.content(value, walk)
    if own is None:
        return content
    filled = []
    for name, member in _slots(own):
        try:
            found = member.__get__(value)
        except AttributeError:
            continue
        filled.append((name, walk.put(found, (".", name))))
    return content, _state(value, walk), filled


def fill(kind: Kind, own: type | None, value: Any, content: Any, get: Get) -> None:
    """Put back what `content_of` returned."""
    if own is not None:
        content, state, filled = content
        members = dict(_slots(own))
        _restore_state(value, state, get)
        told = {name: get(found) for name, found in filled}
        for name, member in members.items():
            if name in told:
                member.__set__(value, told[name])
            else:
                _unset(member, value)
    if kind.fill is not None:
        kind.fill(value, content, get)


def _unset(member: Any, value: Any) -> None:
    try:
        member.__delete__(value)
    except AttributeError:
        return


# -- classes, functions and what they are kept in -----------------------------------------------------


def _attributes(value: type, walk: Walk, number: int) -> Any:
    """Return a class's attributes that a bot can change; of the others only what they reach is walked over."""
    table = type.__dict__["__dict__"].__get__(value)
    walk.values([base for base in type.mro(value)[1:] if is_bot_class(base)])
    if isinstance(value, enum.EnumMeta):
        walk.values(list(table["_member_map_"].values()))
    saved = []
    before = walk.before(number, table)
    for name, found in table.items():
        if _is_attribute(name):
            saved.append((name, walk.put(found, (".", name))))
        elif isinstance(found, types.FunctionType | staticmethod | classmethod):
            walk.put(found, (".", name))
        elif name not in _KEPT and name in before and found is not before[name]:
            raise CannotSaveError(f"a class whose {name} has been changed")
    return saved


# What the library works with in a bot's class, and gives out as a copy at most.
_KEPT = MACHINERY | VIEWS


def _is_attribute(name: str) -> bool:
    return names.is_plain(name) and name not in _KEPT


def fill_class(value: type, before: dict[str, Any], saved: Any, get: Get) -> None:
    """Put a class's attributes back; those that are what they were are not touched."""
    told = {}
    for name, found in saved:
        if not _is_attribute(name):
            raise CannotRestoreError("an attribute that no class has")
        told[name] = get(found)
    for name, found in told.items():
        if before.get(name, before) is not found:
            type.__setattr__(value, name, found)
    for name in before:
        if _is_attribute(name) and name not in told:
            type.__delattr__(value, name)


CLASS = register(Kind("class", no_parts))


def _function_parts(value: types.FunctionType, walk: Walk) -> Any:
    name = value.__name__
    place = walk.world.places_of_code.get(id(value.__code__))
    if not walk.known and (place is None or value.__globals__ is not walk.world.namespace):
        raise CannotSaveError("a function whose code is not in the bot's file")
    about = (name, value.__qualname__, value.__doc__)
    if not all(text is None or type(text) is str for text in about):
        raise CannotSaveError("a function with a name that is not a text")
    return (
        place, about, walk.put(value.__defaults__, (" default of ", name)),
        walk.put(value.__kwdefaults__, (" default of ", name)),
        walk.values(value.__closure__ or (), value.__code__.co_freevars, f"{name} -> "),
    )  # fmt: skip


def _make_function(parts: Any, get: Get, _own: Any) -> Any:
    place, (name, qualname, doc), defaults, keywords, cells = parts
    world = get.world  # type: ignore[attr-defined]
    if not 0 <= place < len(world.code):
        raise CannotRestoreError("code that the bot does not have")
    closure = tuple(get(cell) for cell in cells)
    made = types.FunctionType(world.code[place], world.namespace, name, get(defaults), closure or None)
    made.__qualname__, made.__doc__, made.__kwdefaults__ = qualname, doc, get(keywords)
    return made


register(Kind("function", _function_parts, _make_function, _state, _restore_state), types.FunctionType)


def _library_function(value: types.FunctionType, walk: Walk) -> Any:
    # What the library keeps for the bot in closures (`singledispatch`, `wraps`, a dataclass's defaults), and no more.
    for cell in value.__closure__ or ():
        try:
            found = cell.cell_contents
        except ValueError:
            continue
        if type(found) not in ATOMS and kind_of(found)[0] is not None:
            walk.put(found)
    for found in (value.__dict__ or {}).values():
        if type(found) not in ATOMS and kind_of(found)[0] is not None:
            walk.put(found)


LIBRARY_FUNCTION = register(Kind("library function", _library_function))


def _cell_content(value: types.CellType, walk: Walk) -> Any:
    try:
        found = value.cell_contents
    except ValueError:
        return ()
    return (walk.put(found),)


def _fill_cell(value: types.CellType, content: Any, get: Get) -> None:
    for found in content:
        value.cell_contents = get(found)


register(Kind("cell", no_parts, lambda *_: types.CellType(), _cell_content, _fill_cell), types.CellType)


def _method_parts(value: types.MethodType, walk: Walk) -> Any:
    function = value.__func__
    if isinstance(function, types.FunctionType) and function.__code__.co_filename == BOT_FILE:
        return walk.put(function), walk.put(value.__self__), None
    return None, walk.put(value.__self__), _readable(value, function.__name__, walk)


def _builtin_parts(value: Any, walk: Walk) -> Any:
    if walk.known and isinstance(value.__self__, types.ModuleType | type | None):
        return None
    return None, walk.put(value.__self__), _readable(value, value.__name__, walk)


def _readable(value: Any, name: str, walk: Walk) -> str:
    """Return the name of a method that reads the same from its object, as a bot may read it."""
    if walk.known:
        return name
    owner = value.__self__
    if isinstance(owner, types.ModuleType) or is_bot_class(type(owner)) or guarded_getattr(type(owner), name, None) is None:
        raise CannotSaveError(f"a method ({name}) that cannot be read from its object again")
    return name


def _make_method(parts: Any, get: Get, _own: Any) -> Any:
    function, owner, name = parts
    if function is None:
        return guarded_getattr(get(owner), name)
    found = get(function)
    if type(found) is not types.FunctionType or found.__code__.co_filename != BOT_FILE:
        raise CannotRestoreError("a method that is not the bot's own")
    return types.MethodType(found, get(owner))


register(Kind("method", _method_parts, _make_method), types.MethodType)
register(Kind("built-in method", _builtin_parts, _make_method), types.BuiltinFunctionType)


def _property_parts(value: property, walk: Walk) -> Any:
    return walk.values((value.fget, value.fset, value.fdel))


register(Kind("property", _property_parts), property)
register(
    Kind("wrapped method", lambda value, walk: walk.put(value.__func__)), staticmethod, classmethod
)  # fmt: skip
register(Kind("cached property", lambda value, walk: walk.put(value.func)), functools.cached_property)


def _cached_parts(value: Any, walk: Walk) -> Any:
    if value.cache_info()[:2] != (0, 0):
        raise CannotSaveError("a function that remembers its results (lru_cache)")
    walk.put(value.__wrapped__)


register(Kind("cached function", _cached_parts), type(functools.lru_cache(len)))


def _partial_parts(value: Any, walk: Walk) -> Any:
    return walk.put(value.func), walk.values(value.args), list(value.keywords), walk.values([*value.keywords.values()])


def _make_partial(parts: Any, get: Get, own: Any) -> Any:
    function, args, keys, found = parts
    return functools.partial.__new__(
        own or functools.partial, get(function), *map(get, args), **dict(zip(keys, map(get, found), strict=True))
    )


register(Kind("partial", _partial_parts, _make_partial), functools.partial)

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


for _kind in (dict, collections.defaultdict, collections.OrderedDict, collections.Counter):
    register(
        Kind(
            _kind.__name__, no_parts, lambda _p, _g, own, kind=_kind: kind.__new__(_base(own, kind)),
            _dict_content, _fill_dict,
        ),
        _kind,
    )  # fmt: skip


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


SIMPLE_NAMESPACE = register(Kind("namespace", no_parts, _make_namespace, _state, _restore_state))


# Of an heir, the value alone: a bot may have given its class an `__int__` of its own.
_VALUE_OF: dict[type, Callable[[Any], Any]] = {
    int: int.__int__, float: float.__float__, complex: complex.__complex__, str: str.__str__, bytes: bytes.__bytes__,
}  # fmt: skip


def _register_value(kind: type, value_of: Callable[[Any], Any]) -> None:
    """Register the bot's heirs of a type of values; those of the type itself are written as they are."""

    def make(parts: Any, _get: Get, own: Any) -> Any:
        if type(parts) is not kind or own is None:
            raise CannotRestoreError("a value of another type")
        return kind.__new__(own, parts)  # type: ignore[call-overload]

    register(Kind(kind.__name__, lambda value, _walk: value_of(value), make), kind)


for _value, _reader in _VALUE_OF.items():
    _register_value(_value, _reader)

register(
    Kind("slice", lambda v, walk: walk.values((v.start, v.stop, v.step)), lambda p, get, _o: slice(*map(get, p))), slice
)  # fmt: skip
register(Kind("range", lambda v, _w: (v.start, v.stop, v.step), lambda parts, _g, _o: range(*parts)), range)
register(
    Kind("pattern", lambda v, _w: (v.pattern, v.flags), lambda parts, _g, _o: re.compile(parts[0], parts[1])), re.Pattern
)  # fmt: skip


# Those that say how far they are. What has come out of another one cannot be told from it.
_ITERATORS: tuple[type, ...] = (
    type(iter([])), type(iter(())), type(iter(range(0))), enumerate, zip, map, filter, itertools.count,
    itertools.cycle, itertools.repeat, itertools.chain, itertools.islice,
)  # fmt: skip
_MAKERS: dict[str, Any] = {"iter": iter, **{kind.__name__: kind for kind in _ITERATORS[3:]}}


def _iterator_parts(value: Any, walk: Walk) -> Any:
    maker, args, *_ = type(value).__reduce__(value)
    if maker is not iter and maker is not type(value):
        raise CannotSaveError("an iterator that cannot say where it is")
    if any(is_bot_class(type(arg)) for arg in args):
        raise CannotSaveError("an iterator over an object of the bot's own")
    return maker.__name__, walk.values(args)


def _iterator_content(value: Any, walk: Walk) -> Any:
    _, _, *state = type(value).__reduce__(value)
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
    own = None if is_bot_class(type(value)) else _state(value, walk)
    return walk.values(linked), own, BaseException.__dict__["__suppress_context__"].__get__(value)


def _fill_exception(value: Any, content: Any, get: Get) -> None:
    linked, own, suppressed = content
    for name, found in zip(_LINKS, linked, strict=True):
        BaseException.__dict__[name].__set__(value, get(found))
    BaseException.__dict__["__suppress_context__"].__set__(value, bool(suppressed))
    _restore_state(value, own, get)


_LINKS = ("__cause__", "__context__")
register(
    Kind("exception", _exception_parts, _make_exception, _exception_content, _fill_exception), BaseException
)  # fmt: skip

# -- what can only be named -------------------------------------------------------------------------------

# How a named tuple reads its fields.
_TUPLE_GETTER: type = type(collections.namedtuple("_Sample", "field").field)  # noqa: PYI024



def _member_parts(value: Any, walk: Walk) -> Any:
    """Return the value of a combination of flags; every other member has been there since the module was loaded."""
    kind = type(value)
    number = table_of(value)["_value_"]  # type: ignore[index]
    if walk.known:
        return None
    if not issubclass(kind, enum.Flag) or type(number) is not int or not _combines(kind):
        raise CannotSaveError("a member that an enumeration has got while the bot ran")
    return number


def _combines(kind: type) -> bool:
    """Say whether combinations of flags are made by the library's own code alone."""
    tables = [type.__dict__["__dict__"].__get__(base) for base in type.mro(kind) if is_bot_class(base)]
    own_new = any(table.get("__new__", enum.Enum.__new__) is not enum.Enum.__new__ for table in tables)
    return not own_new and not any(name in table for table in tables for name in ("_missing_", "__init__"))


def _make_member(parts: Any, _get: Get, own: Any) -> Any:
    if not isinstance(own, enum.EnumMeta) or type(parts) is not int or not issubclass(own, enum.Flag):
        raise CannotRestoreError("a member that no enumeration has")
    if not _combines(own):
        raise CannotRestoreError("a member that no enumeration has")
    return enum.EnumMeta.__call__(own, parts)


MEMBER = register(Kind("member", _member_parts, _make_member))
LEAF = register(
    Kind("leaf", no_parts), types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType,
    types.MethodDescriptorType, types.ClassMethodDescriptorType, types.MethodWrapperType, types.GenericAlias,
    types.UnionType, type(NotImplemented), types.ModuleType, _TUPLE_GETTER,
)  # fmt: skip
_LEAF_HOMES = frozenset({
    "sandbox.language.modules.typing_forms", "typing", "_abc", "operator", "enum", "functools",
    "dataclasses", "numpy.dtypes", "collections",
})  # fmt: skip
