"""The `ctx` object that a bot is handed.

Its five methods are closures over state the bot has no name for; the object itself is read-only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

METHODS = ("get_price", "get_cash", "get_position", "submit_order", "log")


class Context:
    """Prices, cash, positions, orders and log of one bot."""

    __slots__ = METHODS

    get_price: Callable[..., float | None]
    get_cash: Callable[..., float]
    get_position: Callable[..., float]
    submit_order: Callable[..., None]
    log: Callable[..., None]

    def __init__(self, **methods: Callable[..., object]) -> None:
        for name in METHODS:
            object.__setattr__(self, name, methods[name])

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"ctx.{name} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"ctx.{name} cannot be changed")

    def __repr__(self) -> str:
        return "<ctx>"

    def __deepcopy__(self, _memo: object) -> Context:
        return self

    def __copy__(self) -> Context:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("ctx cannot be copied")
