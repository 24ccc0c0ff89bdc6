"""Walks everything a bot can reach from its namespace, and tries a store on all of it; prints JSON."""

from __future__ import annotations

import contextlib
import json
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from judge import foul
from kit import Wall

from arena.runtime.ctx import Context
from sandbox.language import guards, names, reach
from sandbox.language.bot_classes import is_bot_class
from sandbox.language.modules.facade import Facade
from sandbox.language.modules.typing_forms import Form
from sandbox.language.special_methods import dunder
from sandbox.language.universe import CONVENTIONAL, GUARDED_STORES

PER_TYPE = 25
# A bot that holds one value of every kind, and the results of calling what is offered.
SOURCE = """
import math, statistics, collections, itertools, heapq, bisect, functools, operator, decimal
import fractions, numbers, random, copy, dataclasses, enum, abc, contextlib, time, datetime, zoneinfo
import json, re, string, textwrap, pprint, logging, typing, types, calendar, cmath, warnings, traceback
import numpy as np
from collections import abc as cabc

@dataclasses.dataclass
class Point:
    x: float = 1.0
    tags: list = dataclasses.field(default_factory=list)
class Side(enum.Enum):
    BUY = 1
class Level(enum.IntFlag):
    A = 1
    B = 2
class Bar(typing.NamedTuple):
    o: float = 1.0
Tup = collections.namedtuple("Tup", "a b")
class Thing(abc.ABC):
    cached = functools.cached_property(lambda self: 1)
    @property
    def p(self): return 1
    @classmethod
    def c(cls): return cls
    @staticmethod
    def s(): return 1
    def __exit__(self, *why):
        global trace
        self.why, _, trace = why
        return True
    def __enter__(self): return self
def gen():
    yield 1
@contextlib.contextmanager
def manager():
    yield 1
@functools.lru_cache
def cached(): return 1
@functools.singledispatch
def single(x): return x
thing = Thing()
with thing: 1 / 0
try:
    thing.nothing
except AttributeError as error:
    caught = error
try:
    int("x")
except ValueError as error:
    bad = error
a = np.arange(6.0).reshape(2, 3)
rng = np.random.default_rng(1)
cached()
VALUES = [
    1, 1.5, 1j, True, None, "x", b"x", bytearray(b"x"), [1], (1,), {"a": 1}, {1}, frozenset([1]), range(3),
    slice(1), ..., NotImplemented, object(), gen(), (i for i in []), manager(), manager, cached, single,
    cached.cache_info(), functools.partial(print, 1), functools.cmp_to_key(lambda x, y: 0)(1), lambda: 0,
    Point(), Point, dataclasses.fields(Point), Side, Side.BUY, Side.__members__, Level.A | Level.B, Bar(),
    Tup(1, 2), Thing, thing, thing.p, Thing.p, Thing.c, thing.c, Thing.cached, caught, bad, bad.args,
    type(1), type(thing), type(Thing), type(print), type(math), type(a), type(gen()), vars(thing),
    thing.__dict__, list[int], int | str, typing.List[int], typing.Optional[int], type,
    iter([]), iter(()), iter({}), iter(set()), iter("x"), reversed([]), enumerate([]), zip([]), map(str, []),
    filter(None, []), {}.keys(), {}.values(), {}.items(), iter({}.items()), iter({}.values()),
    *[f([1, 2]) for f in (itertools.chain, itertools.cycle, itertools.pairwise, itertools.permutations)
      if f is not itertools.permutations],
    itertools.count(), itertools.repeat(1), itertools.groupby("aa"), next(itertools.groupby("aa")),
    itertools.islice([], 1), itertools.tee([]), itertools.accumulate([1]), itertools.product([1]),
    itertools.combinations([1], 1), itertools.starmap(pow, []), itertools.takewhile(bool, []),
    itertools.zip_longest([1]), collections.deque([1]), collections.Counter("a"), collections.OrderedDict(a=1),
    collections.defaultdict(list), collections.ChainMap({}), iter(collections.deque()), types.SimpleNamespace(a=1),
    types.MappingProxyType({}), decimal.Decimal("1.5"), decimal.getcontext(), decimal.localcontext(),
    decimal.Decimal(1).as_tuple(), decimal.getcontext().flags, fractions.Fraction(1, 3),
    statistics.NormalDist(), statistics.linear_regression([1, 2], [1, 2]), random.Random(1), random.getstate(),
    datetime.datetime.now(), datetime.date.today(), datetime.time(), datetime.timedelta(1), datetime.timezone.utc,
    datetime.datetime.now().isocalendar(), zoneinfo.ZoneInfo("UTC"), time.gmtime(), re.compile("a"),
    re.match("a", "a"), re.finditer("a", "a"), re.I, re.compile("a").scanner("a"), logging.getLogger("x"),
    logging.StreamHandler(), contextlib.suppress(ValueError), contextlib.nullcontext(), contextlib.ExitStack(),
    contextlib.closing(gen()), operator.itemgetter(1), operator.attrgetter("x"), operator.methodcaller("x"),
    a, a[0], a[0, 0], a.T, a.flat, a.dtype, a.dtype.type, a.shape, a > 1, a.astype(int), a.tolist(), a.mean,
    np.add, np.add.reduce, np.float64(1), np.int64(1), np.bool_(True), np.float32(1), np.array(["x"]),
    np.array("2024-01-01", dtype="datetime64[D]")[()], np.array([None, len]), rng, rng.normal, rng.integers(5),
    np.random.RandomState(1), np.poly1d([1, 2]), np.vectorize(len), np.errstate(), np.finfo(float), np.iinfo(int),
    np.ndindex(2), np.ndenumerate(a), np.unique([1]), np.linalg.svd(a), np.linalg.eigh(np.eye(2)),
    np.linalg.qr(np.eye(2)), np.linalg.slogdet(np.eye(2)), np.histogram([1.0]), np.meshgrid([1], [2]), np.ix_([1]),
    np.dtype("i4,f8"), np.zeros(1, dtype="i4,f8")[0], np.datetime64("2024-01-01"), np.timedelta64(1, "D"),
    np.polyfit([1, 2, 3], [1, 2, 4], 1, cov=False), np.broadcast_arrays([1], [2]),
]
"""


class Walk:
    """What was seen, what should not have been, and which stores were taken."""

    def __init__(self) -> None:
        self.seen: dict[int, Any] = {}
        self.paths: dict[int, str] = {}
        self.per_type: Counter[type] = Counter()
        self.methods: set[Any] = set()
        self.fouls: dict[str, str] = {}
        self.stores: dict[str, set[str]] = {}
        self.todo: list[tuple[str, Any]] = []

    def add(self, path: str, value: Any) -> None:
        kind = type(value)
        if kind is types.BuiltinFunctionType or kind is types.MethodType:
            # A bound method is a new object each time it is read.
            key = (value.__name__, kind, type(value.__self__), id(getattr(value, "__func__", None)))
            if key in self.methods:
                return
            self.methods.add(key)
        if id(value) in self.seen or (self.per_type[kind] >= PER_TYPE and kind not in _ALWAYS):
            return
        self.seen[id(value)] = value
        self.paths[id(value)] = path
        self.per_type[kind] += 1
        why = foul(value)
        # A bot's `__exit__` is handed a traceback; nothing of it can be read.
        if why and kind is not types.TracebackType:
            self.fouls[path] = why
            return
        self.todo.append((path, value))

    def run(self) -> None:
        while self.todo:
            path, value = self.todo.pop()
            for name, found in reachable(value):
                self.add(f"{path}{name}", found)


_ALWAYS = {type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, Facade, Form}


def reachable(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a bot gets from an object by a name, an index or a loop."""
    listed = dir(value) if not isinstance(value, type) else {*dir(value), *dir(type(value))}
    for name in listed:
        read: Callable[[Any, Any], Any] = guards.guarded_getattr
        if names.is_dunder(name):
            if name not in names.METHODS | names.GUARDED_DUNDERS:
                continue
            read = dunder
        with contextlib.suppress(Exception):
            yield f".{name}", read(value, name)
    if isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", item) for index, item in enumerate(list(value)[:400]))
    elif isinstance(value, dict | types.MappingProxyType):
        yield from ((f"[{key!r:.20}]", item) for key, item in list(value.items())[:400])
    elif hasattr(value, "ndim") and not isinstance(value, type):
        with contextlib.suppress(Exception):
            yield "[0]", value[0]
    if isinstance(value, types.BuiltinFunctionType | types.FunctionType | type):
        with contextlib.suppress(Exception):
            yield "()", value()


class Listed:
    """Tells what is in the table of `sandbox.language.reach` from what is in no line of it."""

    def __init__(self, wall: Wall) -> None:
        self.table, self.members = reach.read(), reach.members()
        offered = [*wall.builtins.values(), *(one for facade in wall.modules.values() for one in vars(facade).values())]
        self.offered = {id(value) for value in offered}

    def lacks(self, value: Any) -> str:
        """Return what the table lacks of an object's class, or of a callable, or an empty text."""
        kind = type(value)
        if not is_bot_class(kind) and (reach.label(kind), "*") not in self.table and kind not in _UNTOLD:
            return reach.label(kind)
        if isinstance(value, type):
            known = is_bot_class(value) or issubclass(value, BaseException) or (reach.label(value), "*") in self.table
            return "" if known or id(value) in self.offered else reach.label(value)
        key = self.key_of(value)
        return "" if key is None or key in self.table or id(value) in self.offered else " ".join(key)

    def key_of(self, value: Any) -> tuple[str, str] | None:
        """Return where a callable of the host stands in the table, or None if it is the bot's or ours."""
        if isinstance(value, types.MethodType):
            value = value.__func__
        if isinstance(value, types.FunctionType):
            code, home = value.__code__, str(value.__module__).split(".")[0]
            ours = code.co_filename == "bot.py" or home in {"bot", "sandbox", "arena", "__main__"}
            # What `namedtuple` and `dataclass` put into a class that a bot makes with them, and two closures.
            made = value.__name__ in CONVENTIONAL | {"__repr__"} or "<string>" in code.co_filename
            if ours or made or value.__qualname__.startswith("lru_cache.<locals>."):
                return None
            return self.members.get(id(value), ("function of", f"{home} {value.__qualname__}"))
        if isinstance(value, guards._DESCRIPTORS):
            return reach.label(value.__objclass__), value.__name__
        if isinstance(value, types.BuiltinFunctionType) and not isinstance(value.__self__, types.ModuleType | None):
            kind = value.__self__ if isinstance(value.__self__, type) else type(value.__self__)
            owner = reach.owner_of(kind, value.__name__)
            return None if is_bot_class(owner) else (reach.label(owner), value.__name__)
        return None


# Classes of what no line tells: metaclasses and tracebacks, of which a bot reads nothing.
_UNTOLD = {types.TracebackType, Context}


def try_stores(walk: Walk, shared: set[int]) -> None:
    """Try to store on everything that is not the bot's own, natively where the policy would let it."""
    for value in list(walk.seen.values()):
        kind = type(value)
        if is_bot_class(kind) or is_bot_class(value) or id(value) not in shared:
            continue
        if isinstance(value, types.FunctionType) and value.__code__.co_filename == "bot.py":
            continue
        public = [name for name in dir(value) if not names.is_dunder(name)]
        for name in ["injected", *public]:
            if name in GUARDED_STORES or names.is_inspect(name):
                continue
            try:
                before = getattr(value, name, None)
                setattr(value, name, before)
            except BaseException:  # noqa: BLE001 - refused, as it should be
                continue
            walk.stores.setdefault(f"{kind.__module__}.{kind.__qualname__}", set()).add(name)


def main() -> None:
    """Print what the walk found."""
    warnings.simplefilter("ignore")
    wall = Wall()
    code, violations = wall.compile(SOURCE)
    assert code is not None, violations
    wall.seed()
    space = wall.namespace()
    exec(code, space)
    walk = Walk()
    own = {name: value for name, value in space.items() if name[0] not in "@_"}
    hidden = {"__import__", "__build_class__", "super"}
    given = {name: value for name, value in wall.builtins.items() if name not in hidden}
    quiet = {name: (lambda *_: None) for name in ("get_price", "get_cash", "get_position", "log")}
    ctx = Context(**quiet, submit_order=lambda *_: None)
    for path, value in {**given, **wall.modules, "ctx": ctx}.items():
        walk.add(path, value)
    walk.run()
    # What a call returned is the caller's own; the rest is what every bot's code works with.
    shared = {identity for identity, path in walk.paths.items() if "()" not in path}
    for path, value in own.items():
        walk.add(path, value)
    walk.run()
    listed = Listed(wall)
    unlisted = {walk.paths[key]: lack for key, value in walk.seen.items() if (lack := listed.lacks(value))}
    try_stores(walk, shared)
    open_classes = sorted(
        kind.__qualname__
        for kind in walk.seen.values()
        if isinstance(kind, type) and not is_bot_class(kind)
        and not kind.__flags__ & (1 << 8) and kind.__flags__ & (1 << 9)
    )  # fmt: skip
    print(json.dumps({
        "seen": len(walk.seen), "types": len(walk.per_type), "fouls": walk.fouls,
        "stores": {kind: sorted(found) for kind, found in walk.stores.items()},
        "open_classes": open_classes, "unlisted": unlisted,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
