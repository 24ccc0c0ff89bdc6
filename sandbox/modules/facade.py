"""A module as a bot sees it: its allowed names, read-only, and no way to the real module."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import NoReturn


class Facade(types.ModuleType):
    """A read-only namespace of allowed values; real modules are refused as values."""

    def __init__(self, name: str, members: Mapping[str, object]) -> None:
        super().__init__(name)
        for key, value in members.items():
            if isinstance(value, types.ModuleType) and not isinstance(value, Facade):
                raise TypeError(f"{name}.{key} would hand out a real module")
        self.__dict__.update(members)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"module '{self.__name__}' is read-only")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"module '{self.__name__}' is read-only")

    def __repr__(self) -> str:
        return f"<module '{self.__name__}'>"

    def __reduce__(self) -> str:
        return self.__name__


def names_of(facade: Facade) -> frozenset[str]:
    """Return the names a facade offers."""
    return frozenset(name for name in facade.__dict__ if not name.startswith("__"))


def pick(source: types.ModuleType, wanted: str) -> dict[str, object]:
    """Return the named attributes of a real module that this Python version has."""
    return {name: getattr(source, name) for name in wanted.split() if hasattr(source, name)}
