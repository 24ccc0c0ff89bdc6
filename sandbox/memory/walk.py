"""What objects can be named by, and where they were found."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.language import names
from sandbox.language.modules.facade import Facade, name_of

ATOMS = frozenset({type(None), bool, int, float, str, bytes, complex, type(Ellipsis)})
_SIMPLE = ATOMS - {float, complex}
MOST_OBJECTS = 200_000

# Where an object was found: its holder's place and the step from there.
Place = tuple[Any, Any] | None


class CannotSaveError(Exception):
    """There is something that cannot be saved: what it is, and, once that is known, where."""

    def __init__(self, what: str, *, placed: bool = False) -> None:
        super().__init__(what)
        self.placed = placed


class Library:
    """What a bot can import or finds built in, by module and name; made once, before any fork."""

    def __init__(self, builtins: dict[str, Any], modules: Iterable[Facade]) -> None:
        self.things = _library_names(builtins, modules)
        # The other way round, by id: what is in the library lives as long as the process.
        self.names = {id(thing): name for name, thing in self.things.items()}


@dataclass(slots=True)
class World:
    """What objects can be named by in every process: the library's names, the guest's, and the bot's code."""

    library: Library
    guest: dict[str, Any]
    code: list[types.CodeType]
    namespace: dict[str, Any]
    places_of_code: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places_of_code = {id(code): place for place, code in enumerate(self.code)}


# What a bot can name of the built-ins only through a guard, or not at all.
_NOT_NAMED = frozenset({"super", "True", "False", "None"})
_UNNAMED_TYPES: tuple[type, ...] = (
    type(None), type(Ellipsis), type(NotImplemented), types.FunctionType, types.BuiltinFunctionType,
)  # fmt: skip
_TYPES = {kind.__name__: kind for kind in _UNNAMED_TYPES}


def _library_names(builtins: dict[str, Any], modules: Iterable[Facade]) -> dict[tuple[str, str], Any]:
    """Return all that a bot can import or finds built in, by module and name."""
    found: dict[tuple[str, str], Any] = {}
    for module in modules:
        home = name_of(module)
        found[home, ""] = module
        found.update({(home, key): value for key, value in module.__dict__.items() if not names.is_dunder(key)})
    for key, value in builtins.items():
        if not names.is_dunder(key) and key not in _NOT_NAMED:
            found["", key] = value
    found.update({("type", key): kind for key, kind in _TYPES.items()})
    # The guarded `type` and the like are what a bot has under the name.
    return {key: value for key, value in found.items() if type(value) not in ATOMS or value != value}  # noqa: PLR0124


def code_of(module: types.CodeType) -> list[types.CodeType]:
    """Return all code of a module, outer before inner."""
    found = [module]
    for code in found:
        found.extend(each for each in code.co_consts if isinstance(each, types.CodeType))
    return found


class Walk:
    """What a kind uses to tell its parts: `put` for one, `values` for many."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.items: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.place: Place = None
        # Whether the object at hand is one of the module's: it is named, and never made anew.
        self.known = True

    def put(self, value: Any, key: Any = None) -> Any:
        """Take note of a part, which the holder has under `key`."""
        raise NotImplementedError

    def values(self, items: Sequence[Any], keys: Sequence[Any] | None = None, style: str = "[") -> list[Any]:
        """Take note of many parts, the entries or, with style ".", the attributes of their holder.

        Texts and numbers are taken as they are.
        """
        kinds = set(map(type, items))
        if kinds <= _SIMPLE or (kinds <= ATOMS and not any(value != value for value in items)):  # noqa: PLR0124
            return list(items)
        put = self.put
        if keys is None:
            return [v if type(v) in _SIMPLE else put(v, (style, place)) for place, v in enumerate(items)]
        return [v if type(v) in _SIMPLE else put(v, (style, key)) for key, v in zip(keys, items, strict=True)]

    def before(self, number: int, table: Any) -> Any:
        """Return the attributes that a class had when the module had been loaded; `table` are those it has now."""
        del number
        return table

    def named(self, value: Any) -> tuple[str, ...] | None:
        """Return what the library or the guest call an object."""
        found = self.world.library.names.get(id(value))
        if found is not None:
            return ("library", *found)
        for name, thing in self.world.guest.items():
            if thing is value:
                return ("guest", name)
        return None


def path_of(place: Place) -> str:
    """Return where an object was found, as a bot's author would write it."""
    steps: list[str] = []
    while place is not None and len(steps) < 12:
        place, key = place
        if key is not None:
            steps.append(_step(*key))
    return "".join(reversed(steps)).lstrip(".")[:200] or "the module"


def _step(style: str, key: Any) -> str:
    """Return one step; a key's own `__repr__` is never asked."""
    if style != "[":
        return f"{style}{key}"
    if type(key) is str:
        return f"[{key[:40]!r}]"
    return f"[{key}]" if type(key) in {int, float} else "[...]"


_SHOWN = {
    types.GeneratorType: "a generator", types.FunctionType: "a function of the library's",
    types.TracebackType: "a traceback", types.FrameType: "a frame", types.CodeType: "code",
}  # fmt: skip


def describe(value: Any) -> str:
    """Return what an object is, in words."""
    kind = type(value)
    if kind in _SHOWN:
        return _SHOWN[kind]
    if isinstance(value, type):
        return f"the class {type.__dict__['__qualname__'].__get__(value)[:60]}, made while the bot ran"
    name = str(type.__dict__["__qualname__"].__get__(kind))[:60]
    if name.endswith(("iterator", "_iter")) or kind in {zip, map, filter, enumerate, reversed}:
        return f"an iterator ({name})"
    return f"an object of type {name}"
