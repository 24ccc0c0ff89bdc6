"""The same bot on the same ticks sees the same in every process: no clock, no chance, no address of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import Pool
from tests.sandbox.conftest import running
from tests.sandbox.market import bot
from tests.sandbox.plays import play

TOP = """
import abc, calendar, collections, copy, datetime, decimal, enum, functools, itertools, random, statistics, time
import types, zoneinfo
import numpy as np
class Plain: pass
class Other(Plain): pass
class Shape(abc.ABC): pass
class Slotted: __slots__ = ("x",)
class Side(enum.Enum): BUY = 1
def generate(): yield 1
@functools.lru_cache
def cached(): return 1
def clocks():
    when, day = datetime.datetime(2020, 1, 1), datetime.date(2020, 1, 1)
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    results = [
        when, day, datetime.datetime.min, datetime.datetime.max, datetime.date.min, when + datetime.timedelta(1),
        when.date(), when.replace(year=2021), when.astimezone(zone), when.astimezone(), day + datetime.timedelta(1),
        datetime.datetime.combine(day, datetime.time()), datetime.datetime.fromisoformat("2020-01-01"),
        datetime.datetime.strptime("2020", "%Y"), datetime.date.fromordinal(5),
        datetime.date.fromisocalendar(2020, 1, 1),
        np.datetime64("2020-01-01").item(), np.datetime64("2020-01-01T00:00").item(), copy.copy(when),
        np.array(["2020-01-01"], dtype="datetime64[D]").tolist()[0], datetime.datetime.fromtimestamp(5, zone),
        datetime.datetime.utcfromtimestamp(5),
    ]
    for one in results:
        for name in ("now", "today", "utcnow"):
            if hasattr(one, name):
                yield getattr(one, name)()
    class Mine(datetime.datetime):
        def ask(self): return [super().now(), super().today(), type(self).utcnow()]
    yield Mine(2020, 1, 1).ask()
    yield [time.time(), time.time_ns(), time.monotonic(), time.perf_counter(), time.process_time(), time.asctime()]
    yield [time.ctime(), time.localtime(), time.gmtime(), time.strftime("%c"), time.ctime(None), time.gmtime(None)]
    yield [np.datetime64("now"), np.datetime64("today"), np.array(["now"], dtype="datetime64[s]")]
    yield [np.array(["today"]).astype("datetime64[D]"), np.datetime64("now", "ms")]
    dates = np.array(["2020-01-01"], dtype="datetime64[s]")
    dates[0] = "now"
    yield dates
def chances():
    yield [random.random(), random.Random().random(), random.Random(None).random(), statistics.NormalDist().samples(2)]
    one = random.Random(5)
    one.seed()
    yield one.random()
    one.seed(None)
    yield [one.random(), one.getrandbits(64), random.choice([1, 2, 3]), random.sample(range(99), 5)]
    class Mine(random.Random):
        def again(self):
            super().seed()
            return super().random()
    yield [Mine().random(), Mine().again()]
    random.seed()
    random.seed(None)
    yield random.random()
    yield [np.random.default_rng().random(), np.random.default_rng(None).random(3), np.random.rand(2)]
    old = np.random.RandomState()
    old.seed()
    yield old.rand()
    old.seed(None)
    yield [old.rand(), np.random.RandomState(None).randint(99), np.random.permutation(9)]
    np.random.seed()
    np.random.seed(None)
    yield np.random.normal()
    items = list(range(20))
    random.shuffle(items)
    np.random.shuffle(items)
    yield items
    yield copy.copy(one).random()
def things():
    own = Plain()
    return [
        Plain, Other, Shape, Slotted, own, Slotted(), generate, generate(), lambda: 0, cached, own.__eq__, object(),
        len,
        [].append, "".join, random.random, random, np, np.mean, np.add, np.random.default_rng(1),
        np.random.RandomState(1),
        functools.partial(generate), property(generate), staticmethod(generate), classmethod(generate), (x for x in ()),
        itertools.count(), iter([]), iter({}), zip(), map(len, []), enumerate([]), reversed([]), collections.deque(),
        collections.OrderedDict().keys(), types.SimpleNamespace(a=generate), float("nan"), np.float64("nan"),
        decimal.Decimal("nan"), complex("nan"), None, NotImplemented, ..., ValueError("x"), KeyError, Side.BUY,
        (Plain, None),
        frozenset([Plain, generate]), {generate: 1}, [generate], slice(generate),
        operator_of(), decimal.getcontext(), np.vectorize(len), np.ndindex(2), np.arange(3).flat, cached.cache_info,
        contextmanagers(), print, vars, abc.ABC, calendar.monthrange, functools.cmp_to_key(lambda a, b: 0)(1),
    ]
def operator_of():
    import operator
    return operator.itemgetter(1), operator.attrgetter("x"), operator.methodcaller("x")
def contextmanagers():
    import contextlib
    return contextlib.ExitStack(), contextlib.suppress(ValueError), contextlib.contextmanager(generate)
def addresses():
    for thing in things():
        yield [repr(thing), str(thing), f"{thing}", "%r" % (thing,)]
    for thing in things():
        try:
            yield hash(thing)
        except TypeError:
            pass
    hashable = []
    for thing in things():
        try:
            hash(thing)
        except TypeError:
            continue
        hashable.append(thing)
    yield [repr(thing) for thing in set(hashable)]
    yield [repr(thing) for thing in frozenset(hashable)]
    yield sorted(map(hash, hashable))
    objects = np.array([generate, object(), Plain], dtype=object)
    mixed = np.zeros(2, dtype="O,i4")
    mixed[0] = (generate, 5)
    buffer = bytearray()
    readers = [
        objects.tobytes, mixed.tobytes, mixed[0].tobytes, lambda: bytes(objects), lambda: bytearray(objects),
        lambda: b"".join([objects]), lambda: bytes(mixed[0]), lambda: int.from_bytes(objects, "little"),
        lambda: str(objects, "latin-1"), lambda: buffer.extend(bytes(objects)),
    ]
    for read in readers:
        try:
            yield read()
        except Exception as error:
            yield str(error)
    library = {int, str, float, bool, dict, type(None), ValueError, KeyError, collections.deque, decimal.Decimal}
    library |= {datetime.date, enum.Enum, np.float64, np.ndarray, np.random.Generator, abc.ABC, random.Random}
    yield [list(library), [hash(kind) for kind in library], len({hash(kind) for kind in library})]
    yield [{k: 1 for k in (Plain, generate, len, None)}, len({object() for _ in range(9)})]
NUMBER = [0]
"""
BODY = """
for part in (clocks, chances, addresses):
    for found in part():
        NUMBER[0] += 1
        line = repr(found)
        for begin in range(0, len(line), 400):
            ASIDE.append(line[begin:begin + 400])
for line in ASIDE[:6]:
    ctx.log(line)
del ASIDE[:6]
"""
SOURCE = bot(BODY, TOP + "ASIDE = []\n")
TICKS = 60


def lines(pool: Pool, run: int) -> list[str]:
    # All that there is to say is put aside at the first tick, for the log of one tick is short.
    once = SOURCE.replace(b"for part in (clocks", b"for part in () if NUMBER[0] else (clocks")
    status, logs, wrong = play(pool, once, TICKS, run)
    assert (status, wrong) == ("ok", [])
    assert len(logs) > 150
    return logs


@pytest.fixture(scope="module")
def elsewhere(canary: str) -> Iterator[Pool]:
    """A pool without tuning: its zygote has its libraries at other addresses, and its objects in another order."""
    with running("arena.runtime.bot:BotRuntime", canary, tuned=False) as pool:
        yield pool


def test_run_ahead_and_lockstep_show_a_bot_the_same(bots: Pool) -> None:
    assert lines(bots, TICKS) == lines(bots, 1)


def libraries(pool: Pool) -> set[str]:
    maps = Path(f"/proc/{pool._process.pid}/maps").read_text("utf-8").splitlines()  # type: ignore[union-attr]
    return {line.split()[0] for line in maps if line.endswith(".so.6")}


def test_another_process_with_other_addresses_shows_a_bot_the_same(bots: Pool, elsewhere: Pool) -> None:
    assert libraries(bots).isdisjoint(libraries(elsewhere))
    assert lines(bots, TICKS) == lines(elsewhere, TICKS)


def test_no_address_is_in_what_a_bot_prints(bots: Pool) -> None:
    assert [line for line in lines(bots, TICKS) if "0x" in line.replace("b'\\x", "").replace("\\x", "")] == []


def test_every_clock_tells_the_tick(bots: Pool) -> None:
    asked = bot("ctx.log([found for found in clocks()][PART[0]])\nPART[0] += 1", TOP + "PART = [0]\n")
    _, logs, wrong = play(bots, asked, 90)
    assert wrong == []
    told = " ".join(line for line in logs if "list index" not in line)
    # numpy's own words for now and today tell no time at all.
    assert "1970" in told
    assert told.count("2023") > 40
    assert str(time.gmtime().tm_year) not in told.replace("2020", "")
