"""Class-making modules: dataclasses, enum, abc, contextlib.

They change the class they are given, so each is held to classes that the bot itself defined.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import enum
from typing import Any

from sandbox.language import names
from sandbox.language.bot_classes import (
    ABC_META,
    ENUM_META,
    check_field_names,
    check_match_args,
    is_bot_class,
    strip_marks,
)
from sandbox.language.modules.facade import Facade, pick
from sandbox.language.modules.members import all_classes
from sandbox.language.modules.services import Services

_ENUM = (
    "Enum IntEnum StrEnum Flag IntFlag auto unique member nonmember verify property EnumCheck "
    "CONTINUOUS NAMED_FLAGS UNIQUE STRICT CONFORM EJECT KEEP FlagBoundary ReprEnum"
)
_DATACLASSES = "field asdict astuple replace fields is_dataclass InitVar KW_ONLY MISSING FrozenInstanceError"
_CONTEXTLIB = "contextmanager suppress nullcontext closing ExitStack ContextDecorator AbstractContextManager"


def _check_fields(target: type) -> None:
    """Refuse fields that are none: the name of each becomes source text of the methods that dataclass makes."""
    for base in type.mro(target):
        for name, field in base.__dict__.get("__dataclass_fields__", {}).items():
            if type(field) is not dataclasses.Field or field.name != name or not names.is_plain(name):
                raise TypeError(f"the fields of '{base.__name__}' are not a dataclass's own")


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""

    def dataclass(cls: Any = None, /, **options: Any) -> Any:
        """Make a bot's class a dataclass; other classes are not the bot's to change."""

        def decorate(target: Any) -> Any:
            if not is_bot_class(target):
                raise TypeError("dataclass() can only be used on a class that the bot defines")
            _check_fields(target)
            restore = strip_marks(target)
            with services.announced():
                made = dataclasses.dataclass(**options)(target)
            restore(made)
            for each in all_classes(made):
                check_field_names(each)
            check_match_args(made, structural=type(made).__name__ == "ProtocolMeta")
            return made

        return decorate if cls is None else decorate(cls)

    def abstractmethod(function: Any) -> Any:
        """Mark a method as abstract."""
        return abc.abstractmethod(function)

    return {
        "dataclasses": Facade("dataclasses", {**pick(dataclasses, _DATACLASSES), "dataclass": dataclass}),
        "enum": Facade("enum", {**pick(enum, _ENUM), "EnumMeta": ENUM_META, "EnumType": ENUM_META}),
        "abc": Facade(
            "abc", {**pick(abc, "ABC abstractproperty"), "ABCMeta": ABC_META, "abstractmethod": abstractmethod}
        ),
        "contextlib": Facade("contextlib", pick(contextlib, _CONTEXTLIB)),
    }
