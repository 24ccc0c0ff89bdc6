"""A module as a bot sees it: its allowed names, read-only, and no way to the real module."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import NoReturn

# `from numpy import lib` falls back to sys.modules[numpy.__name__ + ".lib"] where an attribute is
# missing, so a facade's own name must be one that no real module has.
_SUFFIX = " (bot)"

# Every class that is itself a member of some facade.
OFFERED: set[type] = set()

# Every class that a facade hands out, or hands out an instance of; they are made immutable together.
_classes: set[type] = set()


class Facade(types.ModuleType):
    """A read-only namespace of allowed values; real modules are refused as values."""

    def __init__(self, name: str, members: Mapping[str, object]) -> None:
        super().__init__(name + _SUFFIX)
        for key, value in members.items():
            if isinstance(value, types.ModuleType) and not isinstance(value, Facade):
                raise TypeError(f"{name}.{key} would hand out a real module")
            if isinstance(value, type):
                OFFERED.add(value)
            _classes.add(value if isinstance(value, type) else type(value))
        self.__dict__.update(members)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"module '{name_of(self)}' is read-only")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"module '{name_of(self)}' is read-only")

    def __repr__(self) -> str:
        return f"<module '{name_of(self)}'>"

    def __reduce__(self) -> str:
        return name_of(self)


def name_of(facade: Facade) -> str:
    """Return the name that bots know a facade by."""
    return facade.__name__.removesuffix(_SUFFIX)


def names_of(facade: Facade) -> frozenset[str]:
    """Return the names a facade offers."""
    return frozenset(name for name in facade.__dict__ if not name.startswith("__"))


def handed_out() -> frozenset[type]:
    """Return every class that some facade hands out, with what it is made of."""
    whole: set[type] = {Facade}
    for kind in _classes:
        for base in kind.__mro__:
            whole |= {base, type(base)}
    return frozenset(whole)


def hand_out(*kinds: type) -> None:
    """Note classes that bots come to hold without finding them in a facade."""
    _classes.update(kinds)


def pick(source: types.ModuleType, wanted: str) -> dict[str, object]:
    """Return the named attributes of a real module that this Python version has."""
    return {name: getattr(source, name) for name in wanted.split() if hasattr(source, name)}
