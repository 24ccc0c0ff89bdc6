"""Classes that a bot defines: how they are made, and how they are told from the host's own.

Their instances hash and print by a running number instead of an address, so that the same bot gives
the same set order and the same log on every run.

Much of what guards the host rests on one invariant: no object a bot holds has an attribute with a
special name (`__reduce_ex__`, `__array_interface__`, ...) beyond those that a class statement may
define. Host code that asks an object for one would act on the bot's answer: numpy would read memory
at any address it is told. So everything that makes a class or fills an instance checks names here.
"""

from __future__ import annotations

import abc
import enum
import types
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.language import names
from sandbox.language.modules.facade import hand_out
from sandbox.language.modules.services import Services
from sandbox.language.universe import BASES, GUARDED_LOADS, is_allowed

MODULE_NAME = "bot"
# The bot's classes with nothing of the host's in their chain: their objects need no guard.
PURE: set[type] = set()


def is_bot_class(kind: object) -> bool:
    """Say whether a class came out of a bot's source."""
    return isinstance(kind, type) and type.__getattribute__(kind, "__module__") == MODULE_NAME


class Metaclass:
    """Stands for a metaclass in `class X(metaclass=...)`, and makes nothing when called."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("this class is not the bot's to change")

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, _REAL[self])

    def __repr__(self) -> str:
        return f"<class '{self.name}'>"  # type: ignore[attr-defined]


ABC_META = Metaclass("ABCMeta")
ENUM_META = Metaclass("EnumType")
_REAL: dict[object, type] = {ABC_META: abc.ABCMeta, ENUM_META: enum.EnumMeta}
hand_out(Metaclass)


class Numbers:
    """Gives each object a number when it is first asked for; 0 where nobody can tell when the object is gone."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, object]] = {}
        # The number that was given last.
        self.last = 0
        # While this is off all get 0, for good.
        self.counting = True

    def of(self, instance: object) -> int:
        """Return the number of an object."""
        key = id(instance)
        known = self._known.get(key)
        if known is None:
            try:
                gone = weakref.ref(instance, lambda _: self._known.pop(key, None))
            except TypeError:
                return 0
            self.last += self.counting
            known = self._known[key] = (self.last if self.counting else 0, gone)
        return known[0]

    def given(self) -> list[tuple[int, int]]:
        """Return the id and the number of each object that has one."""
        return [(key, known[0]) for key, known in self._known.items()]

    def give(self, instance: object, number: int) -> None:
        """Give an object the number that it had in another process."""
        key = id(instance)
        self._known[key] = (number, weakref.ref(instance, lambda _: self._known.pop(key, None)))


# Two, because library code asks for hashes as well, and what is printed should count what a bot printed.
HASHED, PRINTED = Numbers(), Numbers()


def number_hash(self: object) -> int:
    """Hash by number."""
    return hash((type(self).__name__, HASHED.of(self)))


def number_repr(self: object) -> str:
    """Print by number."""
    return f"<{type(self).__qualname__} object #{PRINTED.of(self)}>"


def strip_marks(cls: type) -> Callable[[type], None]:
    """Remove our hash and repr, so that a decorator can decide on them; return what puts them back."""
    removed = []
    for name, ours in (("__hash__", number_hash), ("__repr__", number_repr)):
        if cls.__dict__.get(name) is ours:
            type.__delattr__(cls, name)
            removed.append((name, ours))

    def restore(made: type) -> None:
        for name, ours in removed:
            if name not in made.__dict__:
                type.__setattr__(made, name, ours)

    return restore


def check_match_args(made: type, *, structural: bool = False) -> None:
    """Refuse a class whose positional patterns would read what a host base keeps to itself."""
    listed = getattr(made, "__match_args__", ())
    if type(listed) is not tuple:
        raise TypeError("__match_args__ must be a tuple")
    for name in listed:
        if type(name) is not str or names.is_dunder(name) or names.is_inspect(name):
            raise TypeError("__match_args__ must hold plain attribute names")
        if name in GUARDED_LOADS and (structural or not _is_own(made, name)):
            raise TypeError(f"'{name}' cannot be matched by position in this class")


def check_field_names(made: type) -> None:
    """Refuse a dataclass whose methods would read what a host base keeps: the bot can delete what hides it."""
    for name in getattr(made, "__dataclass_fields__", ()):
        if name in GUARDED_LOADS and not _is_own(made, name):
            raise TypeError(f"'{name}' cannot be a field of '{made.__name__}': a class it inherits from has that name")


def _is_own(made: type, name: str) -> bool:
    """Say whether no host class in the chain keeps this name to itself."""
    return all(is_bot_class(base) or name not in base.__dict__ or is_allowed(base, name) for base in type.mro(made))


class ClassHook:
    """Stands in for the metaclass of one class statement."""

    def __init__(self, services: Services, chosen: object) -> None:
        self._services = services
        if chosen is not None and chosen not in _REAL:
            raise TypeError("only ABCMeta and EnumMeta may be used as a metaclass")
        self._chosen = type if chosen is None else _REAL[chosen]

    def _metaclass(self, bases: tuple[type, ...]) -> type:
        meta = self._chosen
        for base in bases:
            if not is_bot_class(base) and base not in BASES and not _is_exception(base):
                label = getattr(base, "__name__", type(base).__name__)
                raise TypeError(f"a bot's class cannot inherit from '{label}'")
            kind = type(base)
            if issubclass(kind, meta):
                meta = kind
            elif not issubclass(meta, kind):
                raise TypeError("metaclass conflict between the bases of this class")
        return meta

    def __prepare__(self, name: str, bases: tuple[type, ...], **keywords: object) -> Mapping[str, object]:
        with self._services.announced():
            namespace = types.prepare_class(name, bases, {"metaclass": self._metaclass(bases)})
        return namespace[1]

    def __call__(self, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> type:
        """Make the class; its bases, its namespace and what patterns may read are checked."""
        meta = self._metaclass(bases)
        _check_namespace(namespace)
        if meta in {type, abc.ABCMeta} and self._is_bare(bases) and "__slots__" not in namespace:
            if "__eq__" not in namespace:
                namespace.setdefault("__hash__", number_hash)
            if "__str__" not in namespace or "__repr__" not in namespace:
                namespace.setdefault("__repr__", number_repr)
        keywords.pop("total", None)
        with self._services.announced():
            made: type = meta(name, bases, namespace, **keywords)
            if meta in {type, abc.ABCMeta} and not _has_run(made, namespace):
                self._services.number_class(made)
        if is_pure(made):
            PURE.add(made)
        check_field_names(made)
        # By what it has become: a named tuple's class is an ordinary one.
        check_match_args(made, structural=type(made) not in {type, abc.ABCMeta, enum.EnumMeta})
        return made

    @staticmethod
    def _is_bare(bases: tuple[type, ...]) -> bool:
        return all(_same(base.__hash__, object.__hash__) and _same(base.__repr__, object.__repr__) for base in bases)


def _has_run(made: type, namespace: dict[str, Any]) -> bool:
    """Say whether code of the bot may have been handed the class while it was made, and may have hashed it."""
    watched = any("__init_subclass__" in base.__dict__ for base in type.mro(made)[1:] if base is not object)
    return watched or any(hasattr(type(value), "__set_name__") for value in namespace.values())


def _same(one: object, other: object) -> bool:
    return one is other


def is_pure(kind: type) -> bool:
    """Say whether no host class in the chain has anything of its own to give."""
    return all(base is object or base is abc.ABC or base.__module__ == MODULE_NAME for base in type.mro(kind))


def _is_exception(base: object) -> bool:
    return isinstance(base, type) and issubclass(base, BaseException)


def _check_namespace(namespace: dict[str, Any]) -> None:
    """Hold slots to plain names, and keep `__getattr__` from answering for special ones."""
    if "__slots__" in namespace:
        slots = namespace["__slots__"]
        listed = (slots,) if type(slots) is str else tuple(slots)
        for name in listed:
            if type(name) is not str:
                raise TypeError("__slots__ must hold plain strings")
            if names.is_dunder(name) and name not in {"__dict__", "__weakref__"}:
                raise TypeError(f"'{name}' cannot be a slot")
        namespace["__slots__"] = listed
    if "__getattr__" in namespace:
        namespace["__getattr__"] = _shielded(namespace["__getattr__"])


def _shielded(answer: Any) -> types.FunctionType:
    if type(answer) is not types.FunctionType:
        raise TypeError("__getattr__ must be a plain function")

    def __getattr__(self: object, name: str) -> Any:  # noqa: N807 - its very name
        if names.is_dunder(name) or names.is_inspect(name):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return answer(self, name)

    return __getattr__  # type: ignore[return-value]
