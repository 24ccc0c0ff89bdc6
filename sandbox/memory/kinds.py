"""What is saved of each kind of object: the parts that it is made from, and the content that can change."""

from __future__ import annotations

import collections
import enum
import functools
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


def state_of(value: Any, walk: Walk) -> Any:
    """Return what an object has in its `__dict__`, None where it has none."""
    table = table_of(value)
    if table is None:
        return None
    saved = [name for name in table if _saved_name(name)]
    return saved, walk.values([table[name] for name in saved], saved, ".")


def restore_state(value: Any, state: Any, get: Get) -> None:
    """Put back what `state_of` returned."""
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
    return content, state_of(value, walk), filled


def fill(kind: Kind, own: type | None, value: Any, content: Any, get: Get) -> None:
    """Put back what `content_of` returned."""
    if own is not None:
        content, state, filled = content
        members = dict(_slots(own))
        restore_state(value, state, get)
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


register(Kind("function", _function_parts, _make_function, state_of, restore_state), types.FunctionType)


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
    if (
        isinstance(owner, types.ModuleType)
        or is_bot_class(type(owner))
        or guarded_getattr(type(owner), name, None) is None
    ):
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

# -- what can only be named -------------------------------------------------------------------------------

# How a named tuple reads its fields.
_TUPLE_GETTER: type = type(vars(collections.namedtuple("_Sample", "field"))["field"])  # noqa: PYI024


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
