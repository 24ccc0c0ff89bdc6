"""The built-ins a bot finds without an import."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.language import guards
from sandbox.language.modules.facade import Facade
from sandbox.language.modules.services import Services
from sandbox.language.special_methods import safe_type, state_of
from sandbox.language.state import State

_OFFERED = (
    "abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod "
    "enumerate filter float format frozenset hash hex int isinstance issubclass iter len list map "
    "max min next object oct ord pow property range repr reversed round set slice sorted "
    "staticmethod str sum super tuple zip True False None NotImplemented Ellipsis __build_class__ "
    "BaseException Exception ArithmeticError AssertionError AttributeError BufferError EOFError "
    "FloatingPointError GeneratorExit ImportError ModuleNotFoundError IndexError KeyError "
    "KeyboardInterrupt LookupError MemoryError NameError NotImplementedError OSError IOError "
    "OverflowError PermissionError FileNotFoundError ConnectionError RecursionError ReferenceError "
    "RuntimeError StopIteration StopAsyncIteration SyntaxError SystemError SystemExit TypeError "
    "TimeoutError UnboundLocalError UnicodeError UnicodeDecodeError UnicodeEncodeError ValueError "
    "ZeroDivisionError Warning UserWarning DeprecationWarning RuntimeWarning FutureWarning "
    "ExceptionGroup"
)


def build(services: Services, modules: Mapping[str, Facade]) -> dict[str, Any]:
    """Return the `__builtins__` of a bot."""

    def show(*values: object, sep: str | None = " ", end: str = "\n", **_: object) -> None:
        """Write a line to the bot's log; `file` and `flush` mean nothing here."""
        services.log("INFO", (" " if sep is None else sep).join(str(value) for value in values))
        del end

    def show_state(*objects: Any) -> State:
        """Return the `__dict__` of a bot's own object."""
        if len(objects) != 1:
            raise TypeError("vars() takes one object here; keep a dict of your own instead")
        return state_of(objects[0])

    nothing = Facade("nothing", {})

    def import_module(
        name: str,
        globals_: object = None,
        locals_: object = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Facade:
        """Import an offered module."""
        del globals_, locals_
        if type(fromlist) is list and name in sys.modules:
            # Library code in C asks by the built-ins of the frame that called it, always with a
            # list (a statement has a tuple), and then takes the module from sys.modules itself.
            return nothing
        if level or type(name) is not str or name not in modules:
            raise ModuleNotFoundError(f"No module named {name!r} is offered to bots", name=str(name))
        services.imports(name)
        return modules[name] if fromlist else modules[name.split(".", maxsplit=1)[0]]

    offered = {name: getattr(builtins, name) for name in _OFFERED.split()}
    return {
        **offered,
        "print": show,
        "__import__": import_module,
        "getattr": guards.guarded_getattr,
        "setattr": guards.guarded_setattr,
        "delattr": guards.guarded_delattr,
        "hasattr": guards.guarded_hasattr,
        "type": safe_type,
        "vars": show_state,
    }
