"""`typing` for code whose annotations are never evaluated: forms that can be written, and classes
that can be inherited from, with nothing of the real module behind them.
"""

from __future__ import annotations

import abc
import types
import typing
from typing import Any

from sandbox.botclass import MODULE_NAME
from sandbox.modules.facade import Facade
from sandbox.modules.services import Services

_FORMS = (
    "Any Optional Union List Dict Set FrozenSet Tuple Deque DefaultDict Callable Iterable Iterator "
    "Sequence MutableSequence Mapping MutableMapping Type Literal Final ClassVar Annotated Hashable "
    "Collection Container Generator Counter OrderedDict ChainMap Text NoReturn Never Self Concatenate "
    "TypeAlias TypeGuard Unpack Required NotRequired LiteralString Sized SupportsFloat SupportsInt "
    "SupportsAbs SupportsIndex SupportsRound Awaitable Reversible AnyStr IO Pattern Match "
    "ContextManager AbstractSet KeysView ValuesView ItemsView ByteString"
)


class Form:
    """A type expression: it can be subscripted and joined, and means nothing at run time."""

    __slots__ = ()

    def __getitem__(self, _item: object) -> Form:
        return self

    def __or__(self, _other: object) -> Form:
        return self

    __ror__ = __or__

    def __call__(self, *_: object, **__: object) -> Form:
        return self

    def __repr__(self) -> str:
        return "typing form"


FORM = Form()


class Generic:
    """A base class that takes type parameters and forgets them."""

    __slots__ = ()

    def __class_getitem__(cls, _item: object) -> type:
        return cls


class Protocol(Generic, metaclass=abc.ABCMeta):
    """A base class for structural types; only its name matters here."""

    __slots__ = ()


class TypedDict(dict):  # type: ignore[type-arg]
    """A dict whose keys were declared."""


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""

    def identity(value: Any, *_: object, **__: object) -> Any:
        """Return the value itself."""
        return value

    def cast(_kind: object, value: Any) -> Any:
        """Return the value itself."""
        return value

    def new_type(_name: str, kind: Any) -> Any:
        """Return the type itself."""
        return kind

    def overload(_function: Any) -> Any:
        """Return a function that must be replaced by the real one."""

        def missing(*_: object, **__: object) -> None:
            raise NotImplementedError("only overloads of this function were defined")

        return missing

    def type_variable(*_: object, **__: object) -> Form:
        """Return a type variable, which means nothing at run time."""
        return FORM

    members: dict[str, object] = dict.fromkeys(_FORMS.split(), FORM)
    members |= {
        "Generic": Generic, "Protocol": Protocol, "TypedDict": TypedDict,
        "NamedTuple": _named_tuple(services), "TypeVar": type_variable, "ParamSpec": type_variable,
        "TypeVarTuple": type_variable, "NewType": new_type, "cast": cast, "overload": overload,
        "final": identity, "runtime_checkable": identity, "override": identity,
        "no_type_check": identity, "assert_type": identity, "TYPE_CHECKING": False,
    }  # fmt: skip
    return {
        "typing": Facade("typing", members),
        "typing_extensions": Facade("typing_extensions", members),
    }  # fmt: skip


def _named_tuple(services: Services) -> object:
    class NamedTuple:
        """Makes a tuple class from a list of (name, type) pairs, or as a base class."""

        __slots__ = ()

        def __call__(self, typename: str, fields: Any = (), **more: Any) -> type:
            with services.announced():
                pairs = [(name, None) for name, _ in [*fields, *more.items()]]
                made: Any = typing.NamedTuple(typename, pairs)  # type: ignore[misc]
            made.__module__ = MODULE_NAME
            return made  # type: ignore[no-any-return]

        def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
            return typing.NamedTuple.__mro_entries__(_bases)  # type: ignore[attr-defined,no-any-return]

    return NamedTuple()
