"""An instance's `__dict__` as a bot sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from sandbox.language import names


class State(dict[str, Any]):
    """An instance's `__dict__`: changes reach the instance, but only under plain names."""

    __slots__ = ("_owner",)

    def __init__(self, owner: object) -> None:
        dict.__init__(self, object.__getattribute__(owner, "__dict__"))
        self._owner = owner

    def _real(self) -> dict[str, Any]:
        state: dict[str, Any] = object.__getattribute__(self._owner, "__dict__")
        return state

    def __setitem__(self, key: str, value: Any) -> None:
        if not names.is_plain(key):
            raise TypeError(f"'{key}' cannot be stored in an object's __dict__")
        self._real()[key] = value
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        dict.__delitem__(self, key)
        self._real().pop(key, None)

    def update(self, *args: Any, **more: Any) -> None:
        """Store every pair."""
        for key, value in dict(*args, **more).items():
            self[key] = value

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Self:  # type: ignore[misc,override]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Store a value unless there is one; return what is there."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """Remove an entry and return its value."""
        value = dict.pop(self, key, *default)
        self._real().pop(key, None)
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the last entry and return it."""
        key, value = dict.popitem(self)
        self._real().pop(key, None)
        return key, value

    def clear(self) -> None:
        """Remove every entry."""
        dict.clear(self)
        self._real().clear()
