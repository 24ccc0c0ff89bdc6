"""Text modules: json, re, string, textwrap, and logging into the bot's own log."""

from __future__ import annotations

import functools
import json
import pprint
import re
import string
import textwrap
from typing import Any

from sandbox.language.modules.facade import Facade, pick
from sandbox.language.modules.services import Services

_RE = (
    "compile escape findall finditer fullmatch match search split sub subn error Pattern Match "
    "A ASCII I IGNORECASE M MULTILINE S DOTALL X VERBOSE NOFLAG"
)
_STRING = (
    "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation whitespace"
)
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50,
           "FATAL": 50, "NOTSET": 0}  # fmt: skip


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""
    return {
        "json": Facade("json", _json()),
        "re": Facade("re", pick(re, _RE)),
        "string": Facade("string", pick(string, _STRING)),
        "textwrap": Facade("textwrap", _textwrap()),
        "pprint": Facade("pprint", {"pformat": pprint.pformat, "pprint": _pprint(services)}),
        "logging": Facade("logging", _logging(services)),
    }


def _textwrap() -> dict[str, object]:
    def on_plain(function: Any) -> Any:
        """Return the function for plain texts: a bot's own `translate` would be handed the library's table."""

        @functools.wraps(function)
        def shaped(text: Any, *args: Any, **more: Any) -> Any:
            return function(str.__str__(text) if isinstance(text, str) else text, *args, **more)

        return shaped

    return {name: on_plain(getattr(textwrap, name)) for name in ["dedent", "fill", "indent", "shorten", "wrap"]}


_HOOKS = {"parse_float", "parse_int", "parse_constant", "object_hook", "object_pairs_hook", "strict"}


def _json() -> dict[str, object]:
    def dumps(
        obj: Any,
        *,
        indent: Any = None,
        sort_keys: bool = False,
        separators: Any = None,
        ensure_ascii: bool = True,
        default: Any = None,
        allow_nan: bool = True,
        skipkeys: bool = False,
    ) -> str:
        """Return a value as JSON text."""
        return json.dumps(
            obj,
            indent=indent,
            sort_keys=sort_keys,
            separators=separators,
            ensure_ascii=ensure_ascii,
            default=default,
            allow_nan=allow_nan,
            skipkeys=skipkeys,
        )

    def loads(s: str | bytes, **hooks: Any) -> Any:
        """Return the value of JSON text; the hooks of the real one may be given, but no `cls`."""
        if not hooks.keys() <= _HOOKS:
            raise TypeError("loads() takes only the parse and object hooks")
        return json.loads(s, **hooks)

    return {"dumps": dumps, "loads": loads, "JSONDecodeError": json.JSONDecodeError}


def _pprint(services: Services) -> Any:
    def show(value: object, *_: object, **__: object) -> None:
        """Write a value to the bot's log."""
        services.log("INFO", pprint.pformat(value))

    return show


class Logger:
    """Writes to the bot's log; levels below INFO are kept out, as they would be by default."""

    __slots__ = ("name", "threshold", "write")

    def __init__(self, services: Services, name: str) -> None:
        def write(level: str, message: object, args: tuple[object, ...]) -> None:
            text = str(message)
            services.log(level, text % args if args else text)

        object.__setattr__(self, "name", name)
        object.__setattr__(self, "threshold", [20])
        object.__setattr__(self, "write", write)

    name: str
    threshold: list[int]
    write: Any

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a logger's attributes are read-only; use setLevel")

    def log(self, level: int, message: object, *args: object, **_: object) -> None:
        """Log at a level given as a number."""
        if level >= self.threshold[0]:
            name = "INFO" if level < 30 else "WARNING" if level < 40 else "ERROR"
            self.write("DEBUG" if level < 20 else name, message, args)

    def debug(self, message: object, *args: object, **_: object) -> None:
        """Log at DEBUG."""
        self.log(10, message, *args)

    def info(self, message: object, *args: object, **_: object) -> None:
        """Log at INFO."""
        self.log(20, message, *args)

    def warning(self, message: object, *args: object, **_: object) -> None:
        """Log at WARNING."""
        self.log(30, message, *args)

    def error(self, message: object, *args: object, **_: object) -> None:
        """Log at ERROR."""
        self.log(40, message, *args)

    warn = warning
    exception = error
    critical = error

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - the name bots know
        """Set the lowest level that is logged."""
        self.threshold[0] = _LEVELS.get(level, 20) if isinstance(level, str) else int(level)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name bots know
        """Say whether a level is logged."""
        return level >= self.threshold[0]

    def getEffectiveLevel(self) -> int:  # noqa: N802 - the name bots know
        """Return the lowest level that is logged."""
        return self.threshold[0]

    def addHandler(self, _handler: object) -> None:  # noqa: N802 - the name bots know
        """Do nothing: there is one log."""


class Handler:
    """A handler that does nothing: the bot's log has its own."""

    __slots__ = ()

    def __init__(self, *_: object, **__: object) -> None:
        """Take anything."""

    def setFormatter(self, _formatter: object) -> None:  # noqa: N802 - the name bots know
        """Do nothing."""

    def setLevel(self, _level: object) -> None:  # noqa: N802 - the name bots know
        """Do nothing."""


def _logging(services: Services) -> dict[str, object]:
    root = Logger(services, "root")
    loggers = services.loggers
    loggers["root"] = root

    def get_logger(name: str = "root") -> Logger:
        """Return the logger of that name."""
        return root if name in {"root", ""} else loggers.setdefault(name, Logger(services, name))

    services.logger = get_logger

    def basic_config(**options: Any) -> None:
        """Take the level; there is one log and one format."""
        if options.get("level") is not None:
            root.setLevel(options["level"])

    methods = ["debug", "info", "warning", "warn", "error", "exception", "critical", "log"]
    return {
        **_LEVELS,
        **{name: getattr(root, name) for name in methods},
        "getLogger": get_logger,
        "basicConfig": basic_config,
        "Logger": Logger,
        "StreamHandler": Handler,
        "NullHandler": Handler,
        "Formatter": Handler,
    }
