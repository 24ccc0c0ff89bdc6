"""Pure data modules: mathematics, containers, iteration, exact numbers and chance."""

from __future__ import annotations

import bisect
import collections
import collections.abc
import decimal
import fractions
import functools
import heapq
import itertools
import math
import numbers
import operator
import random
import statistics
import types
from collections.abc import Callable
from typing import Any

from sandbox.language.bot_classes import is_bot_class
from sandbox.language.guards import guarded_getattr
from sandbox.language.modules.chance import methods_of
from sandbox.language.modules.dispatch import singledispatch
from sandbox.language.modules.facade import Facade, pick
from sandbox.language.modules.services import Services
from sandbox.language.universe import BASES

_STATISTICS = (
    "mean fmean geometric_mean harmonic_mean median median_low median_high median_grouped mode "
    "multimode quantiles pstdev pvariance stdev variance covariance correlation linear_regression "
    "NormalDist StatisticsError kde kde_random"
)
_ITERTOOLS = (
    "accumulate batched chain combinations combinations_with_replacement compress count cycle "
    "dropwhile filterfalse groupby islice pairwise permutations product repeat starmap takewhile "
    "tee zip_longest"
)
_OPERATOR = (
    "abs add and_ concat contains countOf delitem eq floordiv ge getitem gt iadd iand iconcat "
    "ifloordiv ilshift imatmul imod imul index indexOf inv invert ior ipow irshift is_ is_not isub "
    "itemgetter itruediv ixor le length_hint lshift lt matmul mod mul ne neg not_ or_ pos pow rshift "
    "setitem sub truediv truth xor"
)
_DECIMAL = (
    "Decimal ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP "
    "ROUND_UP ROUND_05UP getcontext localcontext setcontext Context DecimalException InvalidOperation "
    "DivisionByZero Inexact Rounded Overflow Underflow BasicContext DefaultContext ExtendedContext"
)
_ABC = (
    "Callable Collection Container Generator Hashable ItemsView Iterable Iterator KeysView Mapping "
    "MappingView MutableMapping MutableSequence MutableSet Reversible Sequence Set Sized ValuesView"
)
_WRAPPERS = (functools.partial, type(functools.lru_cache(len)))


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""
    abstract = Facade("collections.abc", pick(collections.abc, _ABC))
    return {
        "math": _all_public("math", math),
        "statistics": Facade("statistics", pick(statistics, _STATISTICS)),
        "collections": Facade("collections", {**_collections(services), "abc": abstract}),
        "collections.abc": abstract,
        "itertools": Facade("itertools", pick(itertools, _ITERTOOLS)),
        "heapq": Facade("heapq", pick(
            heapq, "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest")),
        "bisect": Facade("bisect", pick(
            bisect, "bisect bisect_left bisect_right insort insort_left insort_right")),
        "functools": Facade("functools", _functools()),
        "operator": Facade("operator", {**pick(operator, _OPERATOR), **_getters()}),
        "decimal": Facade("decimal", pick(decimal, _DECIMAL)),
        "fractions": Facade("fractions", pick(fractions, "Fraction")),
        "numbers": Facade("numbers", pick(numbers, "Number Complex Real Rational Integral")),
        "random": Facade("random", _random(services)),
    }  # fmt: skip


def _all_public(name: str, module: Any) -> Facade:
    return Facade(name, {key: getattr(module, key) for key in dir(module) if key[0] != "_"})


def _getters() -> dict[str, object]:
    def attrgetter(attr: str, *attrs: str) -> Callable[[Any], Any]:
        """Return a function that reads attributes (dotted names too) through the guard."""
        if not all(isinstance(name, str) for name in (attr, *attrs)):
            raise TypeError("attribute name must be a string")

        def follow(obj: Any, path: str) -> Any:
            return functools.reduce(guarded_getattr, str.__str__(path).split("."), obj)

        if not attrs:
            return lambda obj: follow(obj, attr)
        return lambda obj: tuple(follow(obj, path) for path in (attr, *attrs))

    def methodcaller(name: str, /, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Return a function that calls a method found through the guard."""
        return lambda obj: guarded_getattr(obj, name)(*args, **kwargs)

    return {"attrgetter": attrgetter, "methodcaller": methodcaller}


def _collections(services: Services) -> dict[str, object]:
    def namedtuple(typename: str, field_names: Any, *, rename: bool = False, defaults: Any = None) -> type:
        """Make a tuple class with named fields."""
        with services.announced():
            return collections.namedtuple(  # noqa: PYI024
                typename, field_names, rename=rename, defaults=defaults, module="bot"
            )

    plain = pick(collections, "deque defaultdict Counter OrderedDict ChainMap")
    return {**plain, "namedtuple": namedtuple}


def _functools() -> dict[str, object]:
    def update_wrapper(wrapper: Any, wrapped: Any, *which: Any, **more: Any) -> Any:
        """Copy a function's name and text to its wrapper, which must be the bot's own."""
        if not _is_own(wrapper):
            raise TypeError("wraps() can only change what the bot itself defines")
        if which or more:
            raise TypeError("wraps() copies the usual attributes only")
        return functools.update_wrapper(wrapper, wrapped)

    def wraps(wrapped: Any, *which: Any, **more: Any) -> Callable[[Any], Any]:
        """Return a decorator that makes a wrapper look like what it wraps."""
        return lambda wrapper: update_wrapper(wrapper, wrapped, *which, **more)

    def total_ordering(cls: Any) -> Any:
        """Fill in the missing comparisons of a bot's class."""
        if not is_bot_class(cls):
            raise TypeError("total_ordering() can only be used on a class that the bot defines")
        return functools.total_ordering(cls)

    return {
        **pick(functools, "partial reduce lru_cache cache cmp_to_key cached_property"),
        "update_wrapper": update_wrapper,
        "wraps": wraps,
        "total_ordering": total_ordering,
        "singledispatch": singledispatch,
        "WRAPPER_ASSIGNMENTS": functools.WRAPPER_ASSIGNMENTS,
    }


def _is_own(wrapper: Any) -> bool:
    if isinstance(wrapper, types.FunctionType):
        return wrapper.__code__.co_filename == "bot.py"
    return is_bot_class(type(wrapper)) or is_bot_class(wrapper) or type(wrapper) in _WRAPPERS


def _random(services: Services) -> dict[str, object]:
    rng = services.rng

    def seed(a: Any = None, version: int = 2) -> None:
        """Seed the bot's generator; without an argument it stays as it is."""
        if a is not None:
            rng.seed(a, version)

    BASES.add(random.Random)
    return {**methods_of(rng), "seed": seed, "Random": random.Random}
