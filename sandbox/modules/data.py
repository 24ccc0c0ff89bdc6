"""Pure data modules: mathematics, containers, iteration, exact numbers and chance."""

from __future__ import annotations

import bisect
import collections
import collections.abc
import copy
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
from collections.abc import Callable
from typing import Any

from sandbox.modules.facade import Facade, pick
from sandbox.modules.services import Services

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
_RANDOM_METHODS = (
    "betavariate binomialvariate choice choices expovariate gammavariate gauss getrandbits getstate "
    "lognormvariate normalvariate paretovariate randbytes randint random randrange sample setstate "
    "shuffle triangular uniform vonmisesvariate weibullvariate"
)


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
        "operator": Facade("operator", pick(operator, _OPERATOR)),
        "decimal": Facade("decimal", pick(decimal, _DECIMAL)),
        "fractions": Facade("fractions", pick(fractions, "Fraction")),
        "numbers": Facade("numbers", pick(numbers, "Number Complex Real Rational Integral")),
        "random": Facade("random", _random(services)),
        "copy": Facade("copy", pick(copy, "copy deepcopy")),
    }  # fmt: skip


def _all_public(name: str, module: Any) -> Facade:
    return Facade(name, {key: getattr(module, key) for key in dir(module) if key[0] != "_"})


def _collections(services: Services) -> dict[str, object]:
    def namedtuple(
        typename: str, field_names: Any, *, rename: bool = False, defaults: Any = None
    ) -> type:
        """Make a tuple class with named fields."""
        with services.announced():
            return collections.namedtuple(  # type: ignore[no-any-return]  # noqa: PYI024
                typename, field_names, rename=rename, defaults=defaults, module="bot"
            )

    plain = pick(collections, "deque defaultdict Counter OrderedDict ChainMap")
    return {**plain, "namedtuple": namedtuple}


def _functools() -> dict[str, object]:
    def wraps(wrapped: Any) -> Callable[[Any], Any]:
        """Copy a function's name and text to its wrapper, and nothing else that could be named."""
        return functools.wraps(wrapped)

    return {
        **pick(
            functools, "partial reduce lru_cache cache cmp_to_key cached_property total_ordering"
        ),
        "wraps": wraps,
    }


def _random(services: Services) -> dict[str, object]:
    rng = services.rng

    class Random(random.Random):
        """CPython's generator; without a seed it is seeded from the bot's own."""

        def __init__(self, x: Any = None) -> None:
            super().__init__(rng.getrandbits(64) if x is None else x)

        def seed(self, a: Any = None, version: int = 2) -> None:
            super().seed(rng.getrandbits(64) if a is None else a, version)

    def seed(a: Any = None, version: int = 2) -> None:
        """Seed the bot's generator; without an argument it stays as it is."""
        if a is not None:
            rng.seed(a, version)

    members = {name: getattr(rng, name) for name in _RANDOM_METHODS.split() if hasattr(rng, name)}
    return {**members, "seed": seed, "Random": Random}
