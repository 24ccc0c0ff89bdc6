"""Walks over all objects that a bot's module reaches, once when it has been loaded and at every snapshot.

When the module has been loaded, each object gets a number; another process that loads the same module under the same
clock and chance gives the same numbers. So whatever cannot be made anew (classes, functions, what the library has
made of them) is named by its number, and whatever can change is put back into the same object. All that came later is
made anew from its parts.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

from sandbox.memory.containers import ITERATOR
from sandbox.memory.kinds import LIBRARY_FUNCTION, Kind, content_of, kind_of
from sandbox.memory.layout import LayoutError
from sandbox.memory.walk import ATOMS, MOST_OBJECTS, CannotSaveError, Place, Walk, World, describe, path_of

_DEEPEST = 100
TOO_MANY = f"it holds more than {MOST_OBJECTS:,} objects"


class Inventory(Walk):
    """Every object of a module that has just been loaded, by number; it holds them all."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # The attributes of each class as the module left them, by the class's number.
        self.attributes: dict[int, dict[str, Any]] = {}
        # What a bot never holds itself: the module's names with the guards among them, the library's own tables.
        self.hidden = {0}
        self._in_library = False
        self.put(world.namespace)
        self._look_around()

    def put(self, value: Any, key: Any = None) -> Any:
        """Give an object a number, unless it has one or a name."""
        del key
        kind = type(value)
        if (kind in ATOMS and value == value) or self.named(value):  # noqa: PLR0124 - only NaN differs from itself
            return None
        number = self.numbers.get(id(value))
        if number is not None:
            if number and not self._in_library:
                self.hidden.discard(number)
            return None
        if kind_of(value)[0] is ITERATOR:
            # It goes on in place and cannot be put back there: at a snapshot it counts as new.
            ITERATOR.look(value, None, self)
            return None
        if len(self.items) >= MOST_OBJECTS:
            raise CannotSaveError(TOO_MANY, placed=True)
        number = self.numbers[id(value)] = len(self.items)
        if self._in_library:
            self.hidden.add(number)
        self.items.append(value)
        return None

    def _look_around(self) -> None:
        for number, item in enumerate(self.items):
            kind, own = kind_of(item)
            if own is not None:
                self.put(own)
            if isinstance(item, type):
                self.attributes[number] = dict(type.__dict__["__dict__"].__get__(item))
            if kind is not None:
                self._in_library = kind is LIBRARY_FUNCTION
                kind.look(item, own, self)
                self._in_library = False

    @property
    def mark(self) -> tuple[int, int]:
        """Return what tells one inventory from another: how many objects, and of which types."""
        kinds = "\n".join(type(item).__name__ for item in self.items)
        return len(self.items), zlib.crc32(kinds.encode("utf-8", "replace"))


class Saver(Walk):
    """Writes down all that a module reaches now: how to make what is new, and what is in everything that can change."""

    def __init__(self, inventory: Inventory) -> None:
        super().__init__(inventory.world)
        self.inventory = inventory
        self.items = list(inventory.items)
        self.numbers = dict(inventory.numbers)
        self.made: list[Any] = []
        self.contents: list[tuple[int, Any]] = []
        self._known = len(self.items)
        self._seen = bytearray(self._known)
        self._queue: list[tuple[int, Place]] = []
        self._deep = 0
        # Whether parts are walked over of what is only named, not made anew.
        self._naming = False
        self.put(self.world.namespace)
        self._write()

    def before(self, number: int, table: Any) -> Any:
        """Return the attributes that a class had when the module had been loaded."""
        return self.inventory.attributes.get(number, table)

    def put(self, value: Any, key: Any = None) -> Any:
        """Return an object as a text, a number or a reference; what is new is written down first."""
        if type(value) in ATOMS and value == value:  # noqa: PLR0124
            return value
        number = self.numbers.get(id(value))
        if number is None:
            number = self._make(value, (self.place, key))
        elif number < self._known and not self._seen[number]:
            self._seen[number] = 1
            self._queue.append((number, (self.place, key)))
        return (number,)

    def _make(self, value: Any, place: Place) -> int:
        name = self.named(value)
        if name is not None:
            return self._add(value, name)
        if type(value) in {float, complex}:
            return self._add(value, ("number", value if type(value) is complex else math.nan))
        kind, own = kind_of(value)
        if kind is None or kind.make is None:
            raise _cannot(place, describe(value))
        if kind is ITERATOR and self._naming:
            raise _cannot(place, "an iterator inside what cannot change")
        if self._deep > _DEEPEST:
            raise _cannot(place, "nested too deep")
        outside, self.place, self._deep = self.place, place, self._deep + 1
        self.known = False
        heir = None if own is None else self.put(own)
        try:
            parts = kind.parts(value, self)
        except (CannotSaveError, LayoutError) as error:
            raise _placed(place, error) from None
        self.place, self._deep = outside, self._deep - 1
        number = self._add(value, (kind.name, heir, parts))
        if own is not None or kind.content is not None:
            self._queue.append((number, place))
        return number

    def _add(self, value: Any, how: Any) -> int:
        number = self.numbers[id(value)] = len(self.items)
        if number >= MOST_OBJECTS:
            raise CannotSaveError(TOO_MANY, placed=True)
        self.items.append(value)
        self.made.append(how)
        return number

    def _write(self) -> None:
        for number, place in self._queue:
            value = self.items[number]
            kind, own = kind_of(value)
            self.place, self.known = place, number < self._known
            if kind is None:
                raise _cannot(place, describe(value))
            try:
                content = self._content_of(kind, own, number)
            except (CannotSaveError, LayoutError) as error:
                raise _placed(place, error) from None
            if content is not None:
                self.contents.append((number, content))

    def _content_of(self, kind: Kind, own: type | None, number: int) -> Any:
        value = self.items[number]
        if number < self._known:
            if own is not None:
                self.put(own)
            self._naming = True
            kind.parts(value, self)
            self._naming = False
        return content_of(kind, own, value, self, number)


def _cannot(place: Place, what: str) -> CannotSaveError:
    return CannotSaveError(f"{path_of(place)} is {what}", placed=True)


def _placed(place: Place, error: CannotSaveError | LayoutError) -> CannotSaveError:
    """Return the error with the place where it came up, if nobody has said that yet."""
    if isinstance(error, CannotSaveError) and error.placed:
        return error
    return _cannot(place, str(error))
