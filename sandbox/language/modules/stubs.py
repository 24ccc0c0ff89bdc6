"""Modules that bots import out of habit, reduced to what has a meaning here."""

from __future__ import annotations

import calendar
import cmath
import contextlib
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from sandbox.language import names
from sandbox.language.modules.facade import Facade, hand_out, pick
from sandbox.language.modules.services import Services
from sandbox.language.universe import BASES

FILENAME = "bot.py"
_CALENDAR = "isleap leapdays monthrange timegm weekday MONDAY SUNDAY"


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""
    public = {name: getattr(cmath, name) for name in dir(cmath) if name[0] != "_"}
    return {
        "calendar": Facade("calendar", {**pick(calendar, _CALENDAR), **_day_names()}),
        "cmath": Facade("cmath", public),
        "sys": Facade("sys", _sys(services)),
        "traceback": Facade("traceback", _traceback(services)),
        "types": Facade("types", _types()),
        "warnings": Facade("warnings", _warnings(services)),
    }


def _day_names() -> dict[str, object]:
    wanted = "day_name day_abbr month_name month_abbr"
    return {name: tuple(getattr(calendar, name)) for name in wanted.split()}


class Leaving(SystemExit, Exception):  # noqa: N818 - it shows as SystemExit
    """What `sys.exit` raises: a SystemExit that ordinary handlers catch as well."""


Leaving.__name__ = Leaving.__qualname__ = "SystemExit"


class Stream:
    """Stands for standard output or error: what is written is a line of the bot's log."""

    __slots__ = ("_write",)

    encoding = "utf-8"

    def __init__(self, write: Callable[[str], None]) -> None:
        object.__setattr__(self, "_write", write)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a stream's attributes are read-only")

    def write(self, text: str) -> int:
        """Log a text; one that is nothing but a line break has been written already."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        plain = str.__str__(text)
        if plain.strip("\n"):
            self._write(plain.rstrip("\n"))  # type: ignore[attr-defined]
        return len(plain)

    def writelines(self, lines: Iterable[str]) -> None:
        """Log every text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: what is written is logged at once."""

    def isatty(self) -> bool:
        """Say that this is no terminal."""
        return False


hand_out(Leaving, Stream)


def _sys(services: Services) -> dict[str, object]:
    def leave(status: object = None, /) -> NoReturn:
        """Raise SystemExit, which ends this call as any exception does, not the bot."""
        raise Leaving(status)

    plain = "maxsize maxunicode byteorder float_info int_info version_info version platform hexversion"
    return {
        **pick(sys, plain),
        "argv": (FILENAME,),
        "exit": leave,
        "stdout": Stream(lambda text: services.log("INFO", text)),
        "stderr": Stream(lambda text: services.log("ERROR", text)),
    }


def _traceback(services: Services) -> dict[str, object]:
    def format_exc(*_: object, **__: object) -> str:
        """Return the exception being handled as text, without the frames it came through."""
        error = sys.exc_info()[1]
        return "NoneType: None\n" if error is None else f"{type(error).__name__}: {error}\n"

    def print_exc(*_: object, **__: object) -> None:
        """Write the exception being handled to the bot's log."""
        services.log("ERROR", format_exc().rstrip("\n"))

    return {"format_exc": format_exc, "print_exc": print_exc}


def _types() -> dict[str, object]:
    class SimpleNamespace(types.SimpleNamespace):
        """The real class, but for special names."""

        def __init__(self, /, *mapping: Any, **attributes: Any) -> None:
            given = {**dict(*mapping), **attributes}
            for name in given:
                if type(name) is not str or names.is_dunder(name) or names.is_inspect(name):
                    raise TypeError(f"'{name}' cannot be an attribute")
            super().__init__(**given)

        def __repr__(self) -> str:
            text = super().__repr__()
            kind = type(self)
            return f"namespace{text[len(kind.__name__) :]}" if kind is SimpleNamespace else text

    SimpleNamespace.__module__, SimpleNamespace.__qualname__ = "types", "SimpleNamespace"
    BASES.add(SimpleNamespace)
    return {"SimpleNamespace": SimpleNamespace, "MappingProxyType": types.MappingProxyType}


def _warnings(services: Services) -> dict[str, object]:
    def nothing(*_: object, **__: object) -> None:
        """Do nothing: a bot's warnings are lines of its log."""

    def warn(message: object, *_: object, **__: object) -> None:
        """Write a warning to the bot's log."""
        services.log("WARNING", str(message))

    def catch_warnings(**_: object) -> contextlib.nullcontext[list[object]]:
        """Return a context that catches nothing: nothing is raised."""
        return contextlib.nullcontext([])

    return {
        "warn": warn,
        "filterwarnings": nothing,
        "simplefilter": nothing,
        "resetwarnings": nothing,
        "catch_warnings": catch_warnings,
    }
