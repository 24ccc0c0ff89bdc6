"""Classes that a bot defines: how they are made, and how they are told from the host's own.

Their instances hash and print by a running number instead of an address, so that the same bot gives
the same set order and the same log on every run.
"""

from __future__ import annotations

import abc
import enum
import types
from collections.abc import Mapping
from typing import Any

from sandbox.modules.services import Services

MODULE_NAME = "bot"
_METACLASSES = (type, abc.ABCMeta, enum.EnumMeta)
_NUMBER = "@number"
_numbered = 0


def is_bot_class(kind: object) -> bool:
    """Say whether a class came out of a bot's source."""
    return isinstance(kind, type) and type.__getattribute__(kind, "__module__") == MODULE_NAME


def _number_of(instance: object) -> int:
    global _numbered  # noqa: PLW0603 - one counter a process is the point
    try:
        state = object.__getattribute__(instance, "__dict__")
    except AttributeError:
        return 0
    number: int | None = state.get(_NUMBER)
    if number is None:
        _numbered += 1
        number = state[_NUMBER] = _numbered
    return number


def number_hash(self: object) -> int:
    """Hash by number."""
    return hash((type(self).__name__, _number_of(self)))


def number_repr(self: object) -> str:
    """Print by number."""
    return f"<{type(self).__qualname__} object #{_number_of(self)}>"


def visible_state(instance: object) -> dict[str, object]:
    """Return a copy of an instance's attributes without our number."""
    state = object.__getattribute__(instance, "__dict__")
    return {name: value for name, value in state.items() if name != _NUMBER}


def strip_marks(cls: type) -> None:
    """Remove our hash and repr again where a decorator wants to decide on them."""
    for name, ours in (("__hash__", number_hash), ("__repr__", number_repr)):
        if cls.__dict__.get(name) is ours:
            type.__delattr__(cls, name)


class ClassHook:
    """Stands in for the metaclass of one class statement."""

    def __init__(self, services: Services, chosen: type | None) -> None:
        self._services = services
        if chosen is not None and chosen not in _METACLASSES:
            raise TypeError("only ABCMeta and EnumMeta may be used as a metaclass")
        self._chosen = chosen or type

    def _metaclass(self, bases: tuple[type, ...]) -> type:
        meta = self._chosen
        for base in bases:
            kind = type(base)
            if issubclass(kind, meta):
                meta = kind
            elif not issubclass(meta, kind):
                raise TypeError("metaclass conflict between the bases of this class")
        return meta

    def __prepare__(
        self, name: str, bases: tuple[type, ...], **keywords: object
    ) -> Mapping[str, object]:
        with self._services.announced():
            namespace = types.prepare_class(name, bases, {"metaclass": self._metaclass(bases)})
        return namespace[1]

    def __call__(
        self, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any
    ) -> type:
        meta = self._metaclass(bases)
        if meta in {type, abc.ABCMeta} and self._is_bare(bases) and "__slots__" not in namespace:
            if "__eq__" not in namespace:
                namespace.setdefault("__hash__", number_hash)
            if "__str__" not in namespace or "__repr__" not in namespace:
                namespace.setdefault("__repr__", number_repr)
        keywords.pop("total", None)
        with self._services.announced():
            made: type = meta(name, bases, namespace, **keywords)
        return made

    @staticmethod
    def _is_bare(bases: tuple[type, ...]) -> bool:
        return all(
            base.__hash__ is object.__hash__ and base.__repr__ is object.__repr__ for base in bases
        )
