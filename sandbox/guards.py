"""What a bot's code calls at run time where the policy could not prove it harmless.

The names here reach the bot's namespace as "@getattr" and the like, which no source can spell.
"""

from __future__ import annotations

import _string  # type: ignore[import-not-found]
import dataclasses
import operator
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox import names
from sandbox.botclass import ClassHook, is_bot_class, visible_state
from sandbox.modules.facade import Facade
from sandbox.modules.services import Services
from sandbox.universe import CONVENTIONAL, GUARDED_LOADS, GUARDED_STORES, HOST, is_allowed

_MISSING = object()
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.iadd, "Sub": operator.isub, "Mult": operator.imul, "Div": operator.itruediv,
    "FloorDiv": operator.ifloordiv, "Mod": operator.imod, "Pow": operator.ipow,
    "LShift": operator.ilshift, "RShift": operator.irshift, "BitOr": operator.ior,
    "BitXor": operator.ixor, "BitAnd": operator.iand, "MatMult": operator.imatmul,
}  # fmt: skip


def _check_dynamic(name: object) -> str:
    """Return an attribute name that may be asked for at run time, or raise."""
    if type(name) is not str:
        raise TypeError("attribute name must be a plain string")
    if names.is_dunder(name) or names.is_inspect(name) or name.startswith("@"):
        raise AttributeError(f"attribute '{name}' is not allowed in a bot")
    return name


def guarded_getattr(obj: Any, name: Any, *default: Any) -> Any:
    """Read an attribute if the object's type gives it out; as `getattr` otherwise."""
    key = _check_dynamic(name)
    if key in GUARDED_LOADS or key[0] == "_":
        special = _read_guarded(obj, key)
        if special is not _MISSING:
            return special
    return getattr(obj, key, *default)


def _read_guarded(obj: Any, key: str) -> Any:
    if key in {"format", "format_map"}:
        found = _safe_format(obj, key)
        if found is not _MISSING:
            return found
    kind = type(obj)
    if kind is Facade:
        return _MISSING
    if isinstance(obj, type):
        _check_type_chain(obj, key)
        _check_type_chain(kind, key)
    else:
        if kind is super or key in HOST.get(kind, ()) and key not in CONVENTIONAL:
            raise AttributeError(f"attribute '{key}' is not allowed in a bot")
        _check_type_chain(kind, key)
    return _MISSING


def _check_type_chain(kind: type, key: str) -> None:
    """Refuse a name that a host class in the chain keeps, unless a bot's class defines it first."""
    for base in type.mro(kind):
        if is_bot_class(base):
            if key in base.__dict__:
                return
        elif key in base.__dict__:
            if not is_allowed(base, key):
                raise AttributeError(f"attribute '{key}' is not allowed in a bot")
            return


class SafeFormatter(string.Formatter):
    """`str.format` whose fields read attributes through the guard."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Resolve `a.b[0]` step by step."""
        first, rest = _string.formatter_field_name_split(field_name)
        obj = self.get_value(first, args, kwargs)
        for is_attribute, key in rest:
            obj = guarded_getattr(obj, key) if is_attribute else obj[key]
        return obj, first


_FORMATTER = SafeFormatter()


def _safe_format(obj: Any, key: str) -> Any:
    if isinstance(obj, str):
        text = str.__str__(obj)
        if key == "format":
            return lambda *args, **kwargs: _FORMATTER.vformat(text, args, kwargs)
        return lambda mapping: _FORMATTER.vformat(text, (), mapping)
    if isinstance(obj, type) and issubclass(obj, str) and key not in _own_names(obj):
        if key == "format":
            return lambda text, *args, **kwargs: _FORMATTER.vformat(str(text), args, kwargs)
        return lambda text, mapping: _FORMATTER.vformat(str(text), (), mapping)
    return _MISSING


def _own_names(kind: type) -> set[str]:
    return {name for base in type.mro(kind) if is_bot_class(base) for name in base.__dict__}


def guarded_write(obj: Any, name: str) -> Any:
    """Return the object if this attribute of it may be stored or deleted, else raise."""
    kind = type(obj)
    if is_bot_class(kind) or is_bot_class(obj):
        return obj
    if kind.__name__ in {"function", "SimpleNamespace"} and name not in GUARDED_STORES:
        return obj
    if kind.__name__ == "Context" and name in {"prec", "rounding"}:
        return obj
    raise AttributeError(f"attribute '{name}' of '{kind.__name__}' objects is read-only for bots")


def guarded_setattr(obj: Any, name: Any, value: Any) -> None:
    """Store an attribute as `setattr` does."""
    key = _check_dynamic(name)
    if key in GUARDED_STORES:
        guarded_write(obj, key)
    setattr(obj, key, value)


def guarded_delattr(obj: Any, name: Any) -> None:
    """Delete an attribute as `delattr` does."""
    key = _check_dynamic(name)
    if key in GUARDED_STORES:
        guarded_write(obj, key)
    delattr(obj, key)


def guarded_hasattr(obj: Any, name: Any) -> bool:
    """Say whether an attribute can be read."""
    try:
        guarded_getattr(obj, name)
    except AttributeError:
        return False
    return True


def aug_attr(obj: Any, name: str, op: str, value: Any) -> None:
    """Do `obj.name op= value` with both guards; the object is evaluated once, by the caller."""
    changed = _OPERATORS[op](guarded_getattr(obj, name), value)
    if name in GUARDED_STORES:
        guarded_write(obj, name)
    setattr(obj, name, changed)


def safe_type(*args: Any) -> Any:
    """Return an object's class where that class is a value type or the bot's own."""
    if len(args) != 1:
        raise TypeError("type() takes one argument here; define classes with `class`")
    kind = type(args[0])
    if kind in _SHOWN_TYPES or is_bot_class(kind) or issubclass(kind, BaseException):
        return kind
    if issubclass(kind, type):
        return safe_type
    return Opaque(kind.__name__)


_HIDDEN = frozenset({"function", "method", "code", "frame", "traceback", "module", "Facade",
                     "type", "ABCMeta", "EnumType", "EnumMeta", "super", "generator", "ModuleType",
                     "builtin_function_or_method", "mappingproxy"})  # fmt: skip
_SHOWN_TYPES = frozenset(kind for kind in HOST if kind.__name__ not in _HIDDEN)


class Opaque:
    """Stands for a class that a bot may name and compare, and nothing else."""

    __slots__ = ("_label",)

    def __init__(self, label: str) -> None:
        object.__setattr__(self, "_label", label)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("this class is not the bot's to change")

    def __eq__(self, other: object) -> bool:
        return type(other) is Opaque and label_of(other) == label_of(self)

    def __hash__(self) -> int:
        return hash(label_of(self))

    def __repr__(self) -> str:
        return f"<class '{label_of(self)}'>"


def label_of(opaque: Opaque) -> str:
    """Return the class name that an opaque stand-in shows."""
    label: str = object.__getattribute__(opaque, "_label")
    return label


def dunder(obj: Any, name: str) -> Any:
    """Answer the few special attributes that bots may read."""
    if name in {"__name__", "__qualname__"}:
        if type(obj) is Opaque:
            return label_of(obj)
        if obj is safe_type:
            return "type"
        return getattr(obj, name)
    if name == "__class__":
        return safe_type(obj)
    if name == "__dict__" and is_bot_class(type(obj)):
        return visible_state(obj)
    if name in {"__doc__", "__version__", "__members__", "__dataclass_fields__"}:
        return getattr(obj, name, None)
    if names.is_method_name(name):
        return getattr(obj, name)
    raise AttributeError(f"attribute '{name}' is not allowed in a bot")


def object_method(name: str) -> Callable[..., Any]:
    """Return `object.__setattr__`, `__new__` or `__init__`, held to the bot's own classes."""

    def store(obj: Any, key: Any, value: Any) -> None:
        if not is_bot_class(type(obj)):
            raise TypeError("object.__setattr__ works on the bot's own objects only")
        object.__setattr__(obj, _check_dynamic(key), value)

    def make(cls: Any, *_: Any, **__: Any) -> Any:
        if not is_bot_class(cls):
            raise TypeError("object.__new__ works on the bot's own classes only")
        return object.__new__(cls)

    def prepare(*_: Any, **__: Any) -> None:
        """Do what object.__init__ does: nothing."""

    return {"__setattr__": store, "__new__": make, "__init__": prepare}[name]


def build(services: Services) -> dict[str, object]:
    """Return the guards by the names that compiled code calls."""

    def metaclass(*chosen: Any) -> ClassHook:
        return ClassHook(services, chosen[0] if chosen and chosen[0] is not safe_type else None)

    return {
        "@getattr": guarded_getattr,
        "@write": guarded_write,
        "@aug_attr": aug_attr,
        "@dunder": dunder,
        "@object_method": object_method,
        "@metaclass": metaclass,
        "@initvar": dataclasses.InitVar[object],
        "@kw_only": dataclasses.KW_ONLY,
    }
