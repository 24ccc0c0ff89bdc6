"""Tells what a bot must never hold from what it may."""

from __future__ import annotations

import builtins
import types
from typing import Any

from arena.runtime.ctx import Context
from sandbox.language import guards, names
from sandbox.language.bot_classes import Metaclass, is_bot_class
from sandbox.language.modules.facade import Facade, handed_out
from sandbox.language.special_methods import HostClass, Opaque, TypeOf
from sandbox.language.state import State
from sandbox.language.universe import BASES, HOST

_CLOSED = (
    types.FrameType, types.CodeType, types.TracebackType, types.CoroutineType, memoryview, super,
)  # fmt: skip
_HIDDEN = (
    "open eval exec compile __import__ input globals locals dir vars getattr setattr delattr "
    "breakpoint id __build_class__"
)
_NOT_OFFERED = tuple(getattr(builtins, name) for name in _HIDDEN.split())
_CLASSES = (
    type, types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.GeneratorType,
    types.ModuleType, types.FrameType, types.CodeType, types.TracebackType, memoryview, Facade,
)  # fmt: skip
_STAND_INS = (Context, Metaclass, HostClass, Opaque, TypeOf)


def foul(obj: Any, depth: int = 0) -> str:  # noqa: C901, PLR0911 - one line for each kind of thing
    """Return why a bot may not hold this object, or an empty text."""
    kind = type(obj)
    if isinstance(obj, types.ModuleType):
        return "" if kind is Facade else f"the module {obj.__name__}"
    if isinstance(obj, _CLOSED):
        return f"a {kind.__name__}"
    if any(obj is one for one in _NOT_OFFERED):
        return f"the built-in {obj.__name__}"
    if isinstance(obj, type):
        return _foul_class(obj)
    if kind in {str, types.MappingProxyType, dict} and "__builtins__" in obj:
        return "a namespace of the interpreter"
    if kind is types.MappingProxyType and "__module__" in obj:
        return "the namespace of a class"
    if isinstance(obj, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        return _foul_callable(obj)
    if isinstance(obj, types.MethodWrapperType | types.WrapperDescriptorType):
        return "" if obj.__name__ in names.METHODS else f"the special method {obj.__name__}"
    if kind in guards._DESCRIPTORS and any(obj.__name__ in HOST.get(base, ()) for base in obj.__objclass__.__mro__):
        return f"the method {obj.__name__} that {obj.__objclass__.__name__} keeps"
    if depth < 2 and kind in {list, tuple, set, frozenset}:
        return next((why for item in list(obj)[:200] if (why := foul(item, depth + 1))), "")
    if depth < 2 and kind in {dict, State}:
        return next((why for item in list(obj.values())[:200] if (why := foul(item, depth + 1))), "")
    if kind in _STAND_INS or is_bot_class(kind) or issubclass(kind, BaseException):
        return ""
    known = kind in HOST or kind in BASES or kind in handed_out()
    return "" if known else f"a {kind.__module__}.{kind.__qualname__}, which is not in the closed world"


def _foul_class(kind: type) -> str:
    if issubclass(kind, type):
        return f"the metaclass {kind.__name__}"
    if is_bot_class(kind) or issubclass(kind, BaseException):
        return ""
    if kind in _CLASSES:
        return f"the class {kind.__name__}"
    if kind in HOST or kind in BASES or kind in handed_out():
        return ""
    return f"the class {kind.__module__}.{kind.__qualname__}, which is not in the closed world"


def _foul_callable(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    if isinstance(owner, types.ModuleType) and owner.__name__ in {"posix", "sys", "_io", "marshal"}:
        return f"the function {owner.__name__}.{function.__name__}"
    home = getattr(function, "__module__", None)
    if isinstance(function, types.FunctionType) and home == "copyreg":
        return f"the function copyreg.{function.__name__}"
    return ""
