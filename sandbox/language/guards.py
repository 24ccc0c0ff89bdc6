"""What a bot's code calls at run time where the policy could not prove it harmless.

The names here reach the bot's namespace as "@getattr" and the like, which no source can spell.
`sandbox.language.special_methods` answers for special names.
"""

from __future__ import annotations

import _string  # type: ignore[import-not-found]
import dataclasses
import decimal
import functools
import operator
import string
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sandbox.language import names
from sandbox.language.bot_classes import PURE, ClassHook, is_bot_class, is_pure
from sandbox.language.modules.decimal_signals import Signals
from sandbox.language.modules.dispatch import register_annotated
from sandbox.language.modules.facade import Facade, hand_out
from sandbox.language.modules.raw_bytes import check_bytes
from sandbox.language.modules.services import Services
from sandbox.language.special_methods import checked_super, dunder, from_super, object_method, own_copy, safe_type
from sandbox.language.universe import (
    CONVENTIONAL,
    GUARDED_LOADS,
    GUARDED_STORES,
    HOST,
    MACHINERY,
    POINTING,
    TABLES,
    VIEWS,
    is_allowed,
)

_MISSING = object()
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.iadd, "Sub": operator.isub, "Mult": operator.imul, "Div": operator.itruediv,
    "FloorDiv": operator.ifloordiv, "Mod": operator.imod, "Pow": operator.ipow,
    "LShift": operator.ilshift, "RShift": operator.irshift, "BitOr": operator.ior,
    "BitXor": operator.ixor, "BitAnd": operator.iand, "MatMult": operator.imatmul,
}  # fmt: skip
_FREE_FOR_PURE = GUARDED_LOADS - names.MACHINERY
_DESCRIPTORS = (
    types.MethodDescriptorType, types.ClassMethodDescriptorType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.WrapperDescriptorType,
)  # fmt: skip


def check_dynamic(name: object) -> str:
    """Return an attribute name that may be asked for at run time, or raise."""
    if type(name) is not str:
        raise TypeError("attribute name must be a plain string")
    if not names.is_plain(name):
        raise AttributeError(f"attribute '{name}' is not allowed in a bot", name=name)
    return name


def guarded_getattr(obj: Any, name: Any, *default: Any) -> Any:
    """Read an attribute if the object's type gives it out; as `getattr` otherwise."""
    if type(obj) in PURE and type(name) is str and name in _FREE_FOR_PURE:
        return getattr(obj, name, *default)
    try:
        if type(name) is str and name in names.DYNAMIC_DUNDERS:
            return dunder(obj, name)
        key = check_dynamic(name)
        if key in GUARDED_LOADS or key[:1] == "_":
            return _read_guarded(obj, key)
    except AttributeError:
        if len(default) == 1:
            return default[0]
        raise
    return getattr(obj, key, *default)


def _read_guarded(obj: Any, key: str) -> Any:  # noqa: C901, PLR0912 - the order of the checks is the point
    while issubclass(type(obj), types.GenericAlias):
        obj = obj.__origin__  # the alias would hand on whatever its class has
    kind = type(obj)
    if kind is Facade:
        return getattr(obj, key)
    if kind is super:
        return _shown(kind, key, from_super(obj, key))
    if kind is decimal.Context and key in POINTING:
        return Signals(obj, key)
    if key in {"format", "format_map"}:
        found = _safe_format(obj, key)
        if found is not _MISSING:
            return found
    if key == "tobytes" and issubclass(obj if isinstance(obj, type) else kind, np.ndarray | np.generic):
        check_bytes(obj)
    if isinstance(obj, type):
        if not _check_type_chain(obj, key):
            _check_type_chain(kind, key)
    else:
        if key in HOST.get(kind, ()) and key not in CONVENTIONAL:
            raise _not_allowed(key)
        _check_type_chain(kind, key)
        if is_bot_class(kind) and is_pure(kind):
            PURE.add(kind)
    found = getattr(obj, key)
    if _is_kept(found, key):
        raise _not_allowed(key)
    return _shown(kind, key, found)


def _shown(kind: type, key: str, found: Any) -> Any:
    """Return what was read; a table that the host itself works with as a copy."""
    if key in VIEWS:
        return types.MappingProxyType(dict(found)) if type(found) is dict else own_copy(found)
    return own_copy(found) if (kind, key) in TABLES else found


def _not_allowed(key: str) -> AttributeError:
    return AttributeError(f"attribute '{key}' is not allowed in a bot", name=key)


def _check_type_chain(kind: type, key: str) -> bool:
    """Refuse a name that a host class in the chain keeps; say whether a bot's class defines it first."""
    if key in MACHINERY:
        raise _not_allowed(key)
    for base in type.mro(kind):
        if is_bot_class(base):
            if key in base.__dict__:
                return True
        elif key in base.__dict__:
            if not is_allowed(base, key):
                raise _not_allowed(key)
            return False
    return False


def _is_kept(found: Any, key: str) -> bool:
    """Say whether what was read is a host type's own, wherever it was stored meanwhile."""
    kind = type(found)
    if kind in _DESCRIPTORS:
        return not is_allowed(found.__objclass__, found.__name__)
    if kind is types.BuiltinFunctionType:
        owner = found.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return False
        chain = type.mro(owner) if isinstance(owner, type) else type.mro(type(owner))
        return any(found.__name__ in HOST.get(base, ()) for base in chain)
    if kind is types.FunctionType and key[0] == "_" and key not in CONVENTIONAL:
        return bool(found.__code__.co_filename != "bot.py")
    return False


# -- str.format -----------------------------------------------------------------------------------


class SafeFormatter(string.Formatter):
    """`str.format` whose fields read attributes through the guard."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Resolve `a.b[0]` step by step."""
        first, rest = _string.formatter_field_name_split(field_name)
        obj = self.get_value(first, args, kwargs)
        for is_attribute, key in rest:
            if not is_attribute:
                obj = obj[key]
            elif key in names.GUARDED_DUNDERS:
                obj = dunder(obj, key)
            else:
                obj = guarded_getattr(obj, key)
        return obj, first


_FORMATTER = SafeFormatter()
hand_out(SafeFormatter)


@functools.lru_cache(maxsize=512)
def _reads_nothing(text: str, depth: int = 0) -> bool:
    """Say whether no field of a format text, nor of a specification in it, reads an attribute."""
    try:
        fields = list(_string.formatter_parser(text))
    except ValueError:
        return True  # the real `format` raises the real error before it reads anything
    return all(
        name is None or ("." not in name and "[" not in name and depth < 3 and _reads_nothing(spec, depth + 1))
        for _, name, spec, _ in fields
    )


def format_text(text: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Do what `text.format(*args, **kwargs)` does, with attributes read through the guard."""
    if _reads_nothing(text):
        return text.format(*args, **kwargs)
    return _FORMATTER.vformat(text, args, kwargs)


def format_mapping(text: str, mapping: Mapping[str, Any]) -> str:
    """Do what `text.format_map(mapping)` does, with attributes read through the guard."""
    if _reads_nothing(text):
        return text.format_map(mapping)
    return _FORMATTER.vformat(text, (), mapping)


def _safe_format(obj: Any, key: str) -> Any:
    if isinstance(obj, str):
        if key in _own_names(type(obj)):
            return _MISSING
        text = str.__str__(obj)
        if key == "format":
            return lambda *args, **kwargs: format_text(text, args, kwargs)
        return lambda mapping: format_mapping(text, mapping)
    if isinstance(obj, type) and issubclass(obj, str) and key not in _own_names(obj):
        if key == "format":
            return lambda text, *args, **kwargs: format_text(_plain(text), args, kwargs)
        return lambda text, mapping: format_mapping(_plain(text), mapping)
    return _MISSING


def _plain(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError("descriptor 'format' requires a 'str' object")
    return str.__str__(text)


def _own_names(kind: type) -> set[str]:
    return {name for base in type.mro(kind) if is_bot_class(base) for name in base.__dict__}


# -- storing --------------------------------------------------------------------------------------


def guarded_write(obj: Any, name: str) -> Any:
    """Return the object if this attribute of it may be stored or deleted, else raise."""
    kind = type(obj)
    if is_bot_class(kind) or is_bot_class(obj):
        return obj
    if kind is types.FunctionType or isinstance(obj, types.SimpleNamespace):
        return obj
    raise AttributeError(f"attribute '{name}' of '{kind.__name__}' objects is read-only for bots")


def guarded_setattr(obj: Any, name: Any, value: Any) -> None:
    """Store an attribute as `setattr` does."""
    key = check_dynamic(name)
    if key in GUARDED_STORES:
        guarded_write(obj, key)
    setattr(obj, key, value)


def guarded_delattr(obj: Any, name: Any) -> None:
    """Delete an attribute as `delattr` does."""
    key = check_dynamic(name)
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


def aug_read(obj: Any, name: str) -> tuple[Any, str, Any]:
    """Read the left side of `obj.name op= value`; the value is evaluated after this, as in Python."""
    return obj, name, guarded_getattr(obj, name)


def aug_attr(read: tuple[Any, str, Any], op: str, value: Any) -> None:
    """Finish `obj.name op= value` with what `aug_read` found."""
    obj, name, before = read
    changed = _OPERATORS[op](before, value)
    if name in GUARDED_STORES:
        guarded_write(obj, name)
    setattr(obj, name, changed)


def build(services: Services) -> dict[str, object]:
    """Return the guards by the names that compiled code calls."""

    def metaclass(*chosen: Any) -> ClassHook:
        return ClassHook(services, chosen[0] if chosen and chosen[0] is not safe_type else None)

    return {
        "@type": type,
        "@pure": PURE,
        "@getattr": guarded_getattr,
        "@write": guarded_write,
        "@aug_read": aug_read,
        "@aug_attr": aug_attr,
        "@dunder": dunder,
        "@super": checked_super,
        "@object_method": object_method,
        "@metaclass": metaclass,
        "@register": register_annotated,
        "@initvar": dataclasses.InitVar[object],
        "@kw_only": dataclasses.KW_ONLY,
    }
