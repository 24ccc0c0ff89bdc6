"""`functools.singledispatch` over a table of our own, so that nothing of the host is registered."""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Callable
from typing import Any

_registers: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()


def register_annotated(found: Any, annotation: Callable[[], Any]) -> Any:
    """Return what decorates in `@f.register`: with a single-dispatch `f`, the annotation's class."""
    if type(found) is types.FunctionType and found in _registers:
        return found(annotation())
    return found


def singledispatch(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function pick its implementation by the class of its first argument."""
    table: dict[type, Callable[..., Any]] = {object: function}

    def register(cls: Any, func: Callable[..., Any] | None = None) -> Any:
        """Register an implementation for a class; without one, return a decorator."""
        if not isinstance(cls, type):
            raise TypeError("write `@function.register(SomeClass)`: annotations are not read here")
        if func is None:
            return lambda given: register(cls, given)
        table[cls] = func
        return func

    def dispatch(cls: type) -> Callable[..., Any]:
        """Return the implementation for a class."""
        for base in type.mro(cls):
            if base in table and base is not object:
                return table[base]
        virtual = (found for known, found in table.items() if known is not object and issubclass(cls, known))
        return next(virtual, table[object])

    def call(first: Any, /, *args: Any, **kwargs: Any) -> Any:
        return dispatch(type(first))(first, *args, **kwargs)

    functools.update_wrapper(call, function)
    _registers.add(register)
    call.register, call.dispatch = register, dispatch  # type: ignore[attr-defined]
    return call
