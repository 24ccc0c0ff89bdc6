"""Special attributes and `type` as a bot sees them: only what leads no further into the interpreter."""

from __future__ import annotations

import datetime as dt
import re
import types
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from sandbox.language import names
from sandbox.language.bot_classes import MODULE_NAME, Metaclass, is_bot_class
from sandbox.language.modules.facade import OFFERED, Facade, hand_out, name_of
from sandbox.language.state import State
from sandbox.language.universe import BASES, MACHINERY, is_allowed

# The classes that `type(x)` gives out beside those a bot can name anyway; every other is only shown as
# a label, because the constructors of library types are not all meant to be called.
_NAMELESS = (type(None), type(Ellipsis), type(NotImplemented), dt.timezone, re.Pattern, re.Match)
_BUILT_IN = (bool, bytearray, range, slice, enumerate, zip, map, filter, reversed, property,
             staticmethod, classmethod)  # fmt: skip
_SHOWN_TYPES = frozenset(_NAMELESS + _BUILT_IN)


class _ReadOnly:
    """Base of the stand-ins: nothing can be stored on them."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("this class is not the bot's to change")


class Opaque(_ReadOnly):
    """Stands for a class that a bot may name and compare, and nothing else."""

    __slots__ = ("label",)

    label: str

    def __init__(self, label: str) -> None:
        object.__setattr__(self, "label", label)

    def __eq__(self, other: object) -> bool:
        return type(other) is Opaque and other.label == self.label

    def __hash__(self) -> int:
        return hash(self.label)

    def __repr__(self) -> str:
        return f"<class '{self.label}'>"


class TypeOf(_ReadOnly):
    """Stands for `type`: tells an object's class, and answers isinstance; makes no classes."""

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        """Return an object's class where that class is a value type or the bot's own."""
        if len(args) != 1:
            raise TypeError("type() takes one argument here; define classes with `class`")
        kind = type(args[0])
        if kind in _SHOWN_AS:
            return _SHOWN_AS[kind]
        if kind in _SHOWN_TYPES or kind in BASES or kind in OFFERED:
            return kind
        if is_bot_class(kind) or issubclass(kind, BaseException):
            return kind
        if issubclass(kind, type) or kind in {TypeOf, Metaclass, HostClass}:
            return self
        return Opaque(kind.__name__)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, type | TypeOf | Metaclass | Opaque | HostClass)

    def __subclasscheck__(self, kind: object) -> bool:
        return kind is self

    def __getitem__(self, _item: object) -> TypeOf:
        return self

    def __or__(self, other: Any) -> Any:
        return other

    __ror__ = __or__

    def __repr__(self) -> str:
        return "<class 'type'>"


safe_type = TypeOf()


class HostClass(_ReadOnly):
    """Stands for a host class that can be tested against, but neither called nor inherited from."""

    __slots__ = ("label",)

    label: str

    def __init__(self, label: str) -> None:
        object.__setattr__(self, "label", label)

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Refuse to make an instance."""
        raise TypeError(f"{self.label}() cannot be called here; use np.array or np.zeros")

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, _STANDS_FOR[self])

    def __subclasscheck__(self, kind: object) -> bool:
        return kind is self or (isinstance(kind, type) and issubclass(kind, _STANDS_FOR[self]))

    def __getitem__(self, _item: object) -> HostClass:
        return self

    def __or__(self, other: Any) -> Any:
        return (self, type(None) if other is None else other)

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"<class 'numpy.{self.label}'>"


# An ndarray made by its class reads the memory of any buffer as any type, objects among them.
NDARRAY = HostClass("ndarray")
_STANDS_FOR: dict[HostClass, type] = {NDARRAY: np.ndarray}
_SHOWN_AS: dict[type, object] = {np.ndarray: NDARRAY, State: dict, Facade: Opaque("module")}


hand_out(Opaque, TypeOf, HostClass)


def state_of(obj: Any) -> State:
    """Return the `__dict__` of a bot's own object."""
    if not is_bot_class(type(obj)) and not isinstance(obj, types.SimpleNamespace):
        raise AttributeError("attribute '__dict__' is for the bot's own objects only")
    return State(obj)


def dunder(obj: Any, name: str) -> Any:  # noqa: PLR0911 - a table in the form of a function
    """Answer the special attributes that bots may read."""
    if name in {"__name__", "__qualname__"}:
        if type(obj) in {Opaque, HostClass}:
            return obj.label
        if type(obj) is Facade:
            return name_of(obj)
        if obj is safe_type:
            return "type"
        return getattr(obj, name)
    if name == "__class__":
        return safe_type(obj)
    if name == "__dict__":
        return state_of(obj)
    if name in names.GUARDED_DUNDERS:
        return own_copy(getattr(obj, name))
    if type(obj) is super:
        return from_super(obj, name)
    if name in names.METHODS and _gives_out(obj, name):
        found = getattr(obj, name)
        return _held(found) if name == "__new__" and not _is_bots(found) else found
    raise AttributeError(f"attribute '{name}' is not allowed in a bot", name=name)


def own_copy(found: Any) -> Any:
    """Return a table or list of the host's as a copy; a read-only view would hand itself to a bot's `__eq__`."""
    if type(found) is types.MappingProxyType:
        return types.MappingProxyType(dict(found))
    return found.copy() if type(found) in {dict, list} else found


def checked_super(kind: Any, obj: Any) -> super:
    """Return `super(kind, obj)` for a class of the bot's own: a facade's own base is not the bot's to ask."""
    if not is_bot_class(kind):
        raise TypeError("the first argument of super() must be a class that the bot defines")
    return super(kind, obj)


def from_super(asked: super, name: str) -> Any:
    """Read an attribute of `super()` if the class that it is found in gives it out."""
    start = object.__getattribute__(asked, "__thisclass__")
    chain = type.mro(object.__getattribute__(asked, "__self_class__"))
    behind = chain[chain.index(start) + 1 :]
    home = next((base for base in behind if name in base.__dict__), object)
    if is_bot_class(home) and name not in MACHINERY:
        return getattr(asked, name)
    special = names.is_dunder(name)
    if name == "__new__" and is_bot_class(start):
        return _held(getattr(asked, name))
    if special or not is_bot_class(start) or name in MACHINERY or not is_allowed(home, name):
        raise AttributeError(f"attribute '{name}' is not allowed in a bot", name=name)
    return getattr(asked, name)


def _held(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a host class's `__new__`, held to the bot's own classes."""

    def __new__(cls: Any, *args: Any, **more: Any) -> Any:  # noqa: N807 - its very name
        if not is_bot_class(cls):
            raise TypeError("__new__ works on the bot's own classes only")
        return make(cls, *args, **more)

    return __new__


def _is_bots(found: Any) -> bool:
    return type(found) is types.FunctionType and found.__module__ == MODULE_NAME


def _gives_out(obj: Any, name: str) -> bool:
    """Say whether a special method of this object is only its operator."""
    if isinstance(obj, types.ModuleType):
        return False
    if isinstance(obj, type):
        # `Base.__init__(self)` and the like: the classes a bot's own may inherit from.
        if is_bot_class(obj) or name not in names.BUILDERS:
            return True
        return (obj in BASES or issubclass(obj, BaseException)) and name in {"__init__", "__new__"}
    return is_bot_class(type(obj)) or name not in names.BUILDERS


def object_method(name: str) -> Callable[..., Any]:
    """Return `object.__setattr__`, `__new__` or `__init__`, held to the bot's own classes."""

    def store(obj: Any, key: Any, value: Any) -> None:
        if not is_bot_class(type(obj)):
            raise TypeError("object.__setattr__ works on the bot's own objects only")
        if not names.is_plain(key):
            raise AttributeError(f"attribute '{key}' cannot be stored")
        object.__setattr__(obj, key, value)

    def make(cls: Any, *_: Any, **__: Any) -> Any:
        if not is_bot_class(cls):
            raise TypeError("object.__new__ works on the bot's own classes only")
        return object.__new__(cls)

    def prepare(*_: Any, **__: Any) -> None:
        """Do what object.__init__ does: nothing."""

    offered: dict[str, Callable[..., Any]] = {
        "__setattr__": store,
        "__new__": make,
        "__init__": prepare,
    }
    return offered[name]
