"""Builds what a snapshot holds, and puts it into a module that has just been loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.memory import values
from sandbox.memory.containers import ITERATOR
from sandbox.memory.kinds import BY_NAME, CLASS, CannotRestoreError, fill, fill_class, kind_of
from sandbox.memory.save import Inventory
from sandbox.memory.walk import ATOMS, MOST_OBJECTS, World

# So that its kinds are known wherever something is restored.
assert values.SCALAR.name in BY_NAME


class Restorer:
    """All objects of a snapshot, by number: those of the module first, then those made anew."""

    def __init__(self, inventory: Inventory) -> None:
        self.world: World = inventory.world
        self.inventory = inventory
        self.items: list[Any] = list(inventory.items)

    def __call__(self, saved: Any) -> Any:
        """Return what a part stands for: a text or number itself, or the object of a number."""
        if type(saved) is not tuple:
            if type(saved) not in ATOMS:
                raise CannotRestoreError("a part that is neither a value nor an object")
            return saved
        (number,) = saved
        found = self.thing(number)
        if number in self.inventory.hidden:
            raise CannotRestoreError("an object that no bot holds")
        return found

    def thing(self, number: Any) -> Any:
        """Return the object of a number, one that no bot holds included."""
        if type(number) is not int or not 0 <= number < len(self.items):
            raise CannotRestoreError("an object that is not there")
        return self.items[number]

    def restore(self, made: Sequence[Any], contents: Sequence[Any]) -> None:
        """Make all objects, then fill each, and those of the module, with what it held."""
        if len(made) + len(self.items) > MOST_OBJECTS:
            raise CannotRestoreError("too many objects")
        for how in made:
            self.items.append(self._make(*how))
        late = []
        for number, content in contents:
            if kind_of(self.thing(number))[0] is ITERATOR:
                late.append((number, content))
            else:
                self._fill(number, content)
        for number, content in late:
            self._fill(number, content)

    def _fill(self, number: int, content: Any) -> None:
        before, value = self.inventory.attributes, self.thing(number)
        kind, own = kind_of(value)
        if kind is CLASS and number in before:
            fill_class(value, before[number], content, self)
        elif kind is None or (own is None and kind.fill is None):
            raise CannotRestoreError("content of what has none")
        else:
            fill(kind, own, value, content, self)

    def _make(self, how: str, *rest: Any) -> Any:
        if how == "library":
            home, name = rest
            return self.world.library.things[home, name]
        if how == "guest":
            return self.world.guest[rest[0]]
        if how == "number":
            if type(rest[0]) not in {float, complex}:
                raise CannotRestoreError("a number that is none")
            return rest[0]
        heir, parts = rest
        kind = BY_NAME[how]
        own = self(heir)
        if kind.make is None:
            raise CannotRestoreError("an object that can only be named")
        if own is not None and not (type(heir) is tuple and heir[0] < self.known and kind_of(own)[0] is CLASS):
            raise CannotRestoreError("an object of a class that the module does not have")
        made = kind.make(parts, self, own)
        if own is not None and (type(made) is not own or kind_of(made)[0] is not kind):
            raise CannotRestoreError("an object that does not fit its class")
        return made

    @property
    def known(self) -> int:
        """Return how many objects the module itself has."""
        return len(self.inventory.items)
