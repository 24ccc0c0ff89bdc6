"""The flags and traps of a decimal context; the real ones point into the context, also when it is gone."""

from __future__ import annotations

import decimal
from collections.abc import Iterator, MutableMapping
from typing import Any, NoReturn

from sandbox.language.modules.facade import hand_out


class Signals(MutableMapping[Any, bool]):
    """A context's `flags` or `traps`, which keeps the context for as long as it is held itself."""

    # Special names, because no bot can read one.
    __slots__ = ("__context__", "__kind__")

    def __init__(self, context: decimal.Context, kind: str) -> None:
        object.__setattr__(self, "__context__", context)
        object.__setattr__(self, "__kind__", kind)

    def _real(self) -> Any:
        return getattr(object.__getattribute__(self, "__context__"), object.__getattribute__(self, "__kind__"))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"attribute '{name}' is read-only")

    def __getitem__(self, signal: Any) -> bool:
        return bool(Signals._real(self)[signal])

    def __setitem__(self, signal: Any, value: bool) -> None:
        Signals._real(self)[signal] = value

    def __delitem__(self, signal: Any) -> None:
        del Signals._real(self)[signal]

    def __iter__(self) -> Iterator[Any]:
        return iter(list(Signals._real(self)))

    def __len__(self) -> int:
        return len(Signals._real(self))

    def __repr__(self) -> str:
        return repr(Signals._real(self))

    def copy(self) -> dict[Any, bool]:
        """Return them as a dict."""
        return dict(Signals._real(self))


hand_out(Signals)
