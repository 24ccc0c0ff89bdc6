"""`typing` for code whose annotations are never evaluated.

Its forms can be written, tested against and inherited from, with nothing of the real module behind.
"""

from __future__ import annotations

import abc
import builtins
import collections
import re
import types
import typing
from collections import abc as abstract
from typing import Any, NoReturn

from sandbox.language import names
from sandbox.language.bot_classes import MODULE_NAME, check_match_args, is_bot_class
from sandbox.language.modules.facade import Facade, hand_out
from sandbox.language.modules.services import Services
from sandbox.language.universe import BASES

_FORMS = (
    "Optional Union Literal Final ClassVar Annotated NoReturn Never Self Concatenate TypeAlias "
    "TypeGuard TypeIs Unpack Required NotRequired ReadOnly LiteralString SupportsFloat SupportsInt "
    "SupportsAbs SupportsIndex SupportsRound SupportsComplex SupportsBytes AnyStr IO TextIO "
    "AsyncIterator AsyncIterable AsyncGenerator"
)
_ABSTRACT = (
    "Callable Iterable Iterator Sequence MutableSequence Mapping MutableMapping Hashable Sized "
    "Collection Container Generator Reversible MutableSet KeysView ValuesView ItemsView "
    "MappingView Awaitable Coroutine"
)
_ORIGINS: dict[str, type] = {
    "Any": object, "Text": str, "Pattern": re.Pattern, "Match": re.Match,
    "Deque": collections.deque, "DefaultDict": collections.defaultdict,
    "OrderedDict": collections.OrderedDict, "Counter": collections.Counter,
    "ChainMap": collections.ChainMap, "AbstractSet": abstract.Set,
    **{name: getattr(builtins, name.lower())
       for name in ("List", "Dict", "Set", "FrozenSet", "Tuple", "Type")},
    **{name: getattr(abstract, name) for name in _ABSTRACT.split()},
}  # fmt: skip


class Form:
    """A type expression: it can be subscripted, joined, tested against and inherited from."""

    # Special names, because no bot can read one: the class of a form may be `type` itself.
    __slots__ = ("__args__", "__kind__", "__origin__")

    __kind__: str
    __origin__: type | None
    __args__: tuple[object, ...]

    def __init__(self, kind: str, origin: type | None = None, args: object = ()) -> None:
        object.__setattr__(self, "__kind__", kind)
        object.__setattr__(self, "__origin__", origin)
        object.__setattr__(self, "__args__", args if type(args) is tuple else (args,))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"attribute '{name}' is read-only")

    def __getitem__(self, item: object) -> Form:
        return Form(self.__kind__, self.__origin__, item)

    def __or__(self, other: object) -> Form:
        return Form("Union", None, (self, other))

    def __ror__(self, other: object) -> Form:
        return Form("Union", None, (other, self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and (self.__kind__, self.__args__) == (other.__kind__, other.__args__)

    def __hash__(self) -> int:
        return hash(self.__kind__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what calling the form's class does, as in `typing.Deque(maxlen=3)`."""
        if self.__origin__ is None or self.__origin__ in {object, type}:
            raise TypeError(f"typing.{self.__kind__} cannot be called")
        return self.__origin__(*args, **kwargs)

    def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
        return (self.__origin__ or object,)

    def __instancecheck__(self, instance: object) -> bool:
        if self.__kind__ in {"Union", "Optional"}:
            wanted = (type(None) if kind is None else kind for kind in self.__args__)
            optional = self.__kind__ == "Optional" and instance is None
            return optional or any(isinstance(instance, kind) for kind in wanted)  # type: ignore[arg-type]
        if self.__origin__ is None:
            raise TypeError(f"typing.{self.__kind__} cannot be used with isinstance()")
        return isinstance(instance, self.__origin__)

    def __subclasscheck__(self, kind: type) -> bool:
        return self.__origin__ is not None and issubclass(kind, self.__origin__)

    def __repr__(self) -> str:
        return f"typing.{self.__kind__}"


class Generic:
    """A base class that takes type parameters and forgets them."""

    __slots__ = ()

    def __class_getitem__(cls, _item: object) -> type:
        return cls


class ProtocolMeta(abc.ABCMeta):
    """Tests instances by the names a protocol lists, as a runtime-checkable one does."""

    def __instancecheck__(cls, instance: object) -> bool:
        if super().__instancecheck__(instance):
            return True
        if Protocol not in cls.__bases__:
            return False
        wanted = {
            name
            for base in cls.__mro__ if is_bot_class(base)
            for name in (*vars(base), *vars(base).get("__annotations__", ()))
            if not names.is_dunder(name) and not name.startswith("_abc_")
        }  # fmt: skip
        return bool(wanted) and all(hasattr(instance, name) for name in wanted)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance, but not of a protocol itself."""
        if Protocol in cls.__bases__:
            raise TypeError("Protocols cannot be instantiated")
        return super().__call__(*args, **kwargs)


class Protocol(Generic, metaclass=ProtocolMeta):
    """A base class for structural types."""

    __slots__ = ()


class TypedDict(dict):  # type: ignore[type-arg]
    """A base whose classes make plain dicts, as the real one's do."""

    def __new__(cls, *args: Any, **items: Any) -> Any:
        """Return a plain dict; called with a name and a table of fields, return such a class."""
        return functional_typed_dict if args and type(args[0]) is str else dict(*args, **items)


def functional_typed_dict(*args: Any, **items: Any) -> dict[Any, Any]:
    """Make a plain dict, as a class made by `TypedDict("Name", {...})` does."""
    return dict(*args, **items)


BASES.update({Generic, Protocol, TypedDict})
_NAMED_TUPLE: type = types.resolve_bases((typing.NamedTuple,))[0]
BASES.add(_NAMED_TUPLE)
hand_out(Form, Generic, Protocol, ProtocolMeta, TypedDict)


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

    def type_variable(name: str = "T", *_: object, **__: object) -> Form:
        """Return a type variable, which means nothing at run time."""
        return Form(str(name))

    def get_args(kind: Any) -> tuple[object, ...]:
        """Return what a form was subscripted with."""
        return kind.__args__ if type(kind) is Form else getattr(kind, "__args__", ())

    members: dict[str, object] = {name: Form(name) for name in _FORMS.split()}
    members |= {name: Form(name, origin) for name, origin in _ORIGINS.items()}
    members |= {
        "Generic": Generic, "Protocol": Protocol, "TypedDict": TypedDict,
        "NamedTuple": _named_tuple(services), "TypeVar": type_variable, "ParamSpec": type_variable,
        "TypeVarTuple": type_variable, "NewType": new_type, "cast": cast, "overload": overload,
        "final": identity, "runtime_checkable": identity, "override": identity,
        "no_type_check": identity, "assert_type": identity, "assert_never": identity,
        "reveal_type": identity, "get_args": get_args, "TYPE_CHECKING": False,
        "ContextManager": Form("ContextManager"),
    }  # fmt: skip
    return {name: Facade(name, members) for name in ("typing", "typing_extensions")}


def _named_tuple(services: Services) -> object:
    class NamedTuple:
        """Makes a tuple class from a list of (name, type) pairs, or as a base class."""

        __slots__ = ()

        def __call__(self, typename: str, fields: Any = (), **more: Any) -> type:
            with services.announced():
                pairs = [(name, None) for name, _ in [*fields, *more.items()]]
                made: Any = typing.NamedTuple(typename, pairs)  # type: ignore[misc]
            made.__module__ = MODULE_NAME
            check_match_args(made)
            return made

        def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
            return (_NAMED_TUPLE,)

    return NamedTuple()
