"""Whatever a snapshot holds, it is refused in words inside the locked worker, or does what the bot could have done.

Each case takes a sound snapshot apart, forges something in it, and has a worker restore it.
"""

from __future__ import annotations

import marshal
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.pool import Pool
from tests.sandbox.market import bot
from tests.sandbox.memory.memory_kit import begin, program_of, restore, snapshot, ticks

TOP = """import numpy as np, re, random, collections, functools, types
from enum import Enum, Flag
class Plain:
    limit = 1
    def go(self, x=[]):
        return self.limit
class Slotted:
    __slots__ = ("a",)
class Rows(list):
    pass
class Side(Enum):
    BUY = 1
class Bits(Flag):
    A = 1
    B = 2
def outer():
    n = [0]
    def inner():
        n[0] += 1
        return n[0]
    return inner
@functools.singledispatch
def shown(x):
    return "any"
plain, slotted, rows, made = Plain(), Slotted(), Rows(), outer()
STATE = {}
ARRAY = np.zeros(4)
"""
BODY = """STATE["list"] = [1, (2, "x")]
STATE["set"] = {1, 2, 3}
STATE["array"] = np.arange(3.0)
STATE["part"] = STATE["array"][1:]
STATE["old"] = np.random.RandomState(1)
STATE["rng"] = np.random.default_rng(1)
STATE["random"] = random.Random(1)
STATE["deque"] = collections.deque([1], 5)
STATE["lambda"] = lambda: made()
STATE["inner"] = outer()
STATE["plain"] = Plain()
STATE["rows"] = Rows()
STATE["pattern"] = re.compile("a")
STATE["method"] = STATE["plain"].go
STATE["ns"] = types.SimpleNamespace(a=1)
STATE["object"] = {Plain(): 1}
STATE["name"] = shown
STATE["bits"] = Bits.A | Bits.B
STATE["flat"] = 12345
for text in (str(STATE.get("probe")), str(Plain.limit)):
    ctx.log(text[:100])"""

Saved = dict[str, Any]


@pytest.fixture(scope="module")
def program(bots: Pool) -> bytes:
    return program_of(bots, bot(BODY, TOP))


@pytest.fixture(scope="module")
def sound(bots: Pool, program: bytes) -> bytes:
    """A snapshot as it should be."""
    worker = begin(bots, program)
    ticks(worker, 0, 1)
    taken = snapshot(bots, worker)
    worker.close()
    assert taken.data is not None, taken.problem
    return taken.data


def opened(data: bytes) -> Saved:
    whole: Saved = marshal.loads(zlib.decompress(data))
    return whole


def sealed(whole: Any) -> bytes:
    return zlib.compress(marshal.dumps(whole))


def put(saved: Saved, how: Any) -> tuple[int]:
    """Add an object and return its reference."""
    saved["made"].append(how)
    return (saved["mark"][0] + len(saved["made"]) - 1,)


def state_of(saved: Saved) -> Any:
    """The content of STATE: factory, keys, values, hashes."""
    return next(content for _, content in saved["contents"] if type(content) is tuple and "flat" in (content[1] or ()))


def give(saved: Saved, value: Any, key: str = "probe") -> None:
    """Have the bot find a value under a key of STATE."""
    content = state_of(saved)
    content[1].append(key)
    content[2].append(value)


def kind(saved: Saved, name: str) -> int:
    """The place of the first object of a kind among those that are made anew."""
    return next(place for place, how in enumerate(saved["made"]) if how[0] == name)


def known(saved: Saved, name: str) -> tuple[int]:
    """The reference of what the module has under a name."""
    _, content = next(pair for pair in saved["contents"] if pair[0] == 0)
    found: tuple[int] = content[2][content[1].index(name)]
    return found


def content_of(saved: Saved, reference: tuple[int]) -> Any:
    return next(content for number, content in saved["contents"] if (number,) == reference)


def swap(saved: Saved, reference: tuple[int], content: Any) -> None:
    saved["contents"] = [(n, content if (n,) == reference else c) for n, c in saved["contents"]]


def first(saved: Saved, name: str) -> tuple[int]:
    return (saved["mark"][0] + kind(saved, name),)


class Command:
    def __reduce__(self) -> Any:
        import os

        return os.system, ("true",)


def array(saved: Saved, *parts: Any) -> None:
    give(saved, put(saved, ("array", None, parts)))


def replaced(saved: Saved, name: str, how: Any) -> None:
    saved["made"][kind(saved, name)] = how


def closure(saved: Saved, cells: list[Any]) -> None:
    """Give the function that has a closure another one."""
    for place, how in enumerate(saved["made"]):
        if how[0] == "function" and how[2][4]:
            saved["made"][place] = (*how[:2], (*how[2][:4], cells))


def function(saved: Saved, code: int, about: Any, cells: list[Any]) -> None:
    """Make a function of other code, names or cells."""
    saved["made"][kind(saved, "function")] = ("function", None, (code, about, None, None, cells))


def named_value(saved: Saved, name: str, value: Any) -> None:
    _, content = next(pair for pair in saved["contents"] if pair[0] == 0)
    content[1].append(name)
    content[2].append(value)


def attribute(saved: Saved, owner: tuple[int], name: str) -> None:
    swap(saved, owner, (None, ([name], [1]), []))


def set_content(saved: Saved, **changes: Any) -> None:
    reference = first(saved, "set")
    members, table = content_of(saved, reference)
    told = dict(zip(("places", "hashes", "left", "mask", "finger"), table, strict=True)) | changes
    swap(saved, reference, (told.pop("members", members), tuple(told.values())))


def library(saved: Saved, **changes: Any) -> None:
    saved["library"] |= changes


def about(saved: Saved, **changes: Any) -> None:
    saved["about"] |= changes


def _tied(value: bytes) -> bytes:
    """A snapshot of the right form whose one member is a value in marshal's own bytes, which may refer to itself."""
    form = b"".join(marshal.dumps(part, 2) for part in ("form", 1, "made"))
    return zlib.compress(b"{" + form + value + b"0")


def _twice(depth: int) -> bytes:
    """A list of a list twice, of a list twice ...: of a few bytes, and of 2**depth parts for whom does not look."""
    two = (2).to_bytes(4, "little")
    inner = b"N"
    # Marshal numbers what may be referred to as it begins: the innermost comes last.
    for level in range(depth, 0, -1):
        again = b"r" + level.to_bytes(4, "little") if level < depth else b"N"
        inner = b"\xdb" + two + inner + again
    return inner


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "a list that holds itself": lambda _: _tied(b"\xdb" + (1).to_bytes(4, "little") + b"r" + bytes(4)),
    "lists that double": lambda _: _tied(_twice(60)),
    "nothing": lambda _: b"",
    "noise": lambda data: bytes(reversed(data)),
    "half of it": lambda data: data[: len(data) // 2],
    "a command, pickled": lambda _: pickle.dumps(Command()),
    "a command, pickled and compressed": lambda _: zlib.compress(pickle.dumps(Command())),
    "a bomb of zeros": lambda _: zlib.compress(bytes(1 << 28), 9),
    "a list of two thousand million": lambda _: zlib.compress(b"[\xff\xff\xff\x7f"),
    "nests without an end": lambda _: zlib.compress(b")\x01" * 100_000),
    "code": lambda _: sealed(compile("1", "bot.py", "exec")),
    "no dict": lambda _: sealed([1, 2]),
    "another form": lambda data: sealed(opened(data) | {"form": 99}),
    "another module": lambda data: sealed(opened(data) | {"mark": (1, 2)}),
    "no parts": lambda data: sealed({"form": opened(data)["form"]}),
}

FORGED: dict[str, Callable[[Saved], Any]] = {
    "code among the values": lambda s: give(s, compile("1", "bot.py", "exec")),
    "a set among the values": lambda s: give(s, frozenset({1})),
    "the guards' super": lambda s: give(s, put(s, ("library", "", "super"))),
    "what builds classes": lambda s: give(s, put(s, ("library", "", "__build_class__"))),
    "what imports": lambda s: give(s, put(s, ("library", "", "__import__"))),
    "a guard": lambda s: give(s, put(s, ("library", "", "@getattr"))),
    "a module that is not offered": lambda s: give(s, put(s, ("library", "os", "system"))),
    "a function that is not offered": lambda s: give(s, put(s, ("library", "numpy", "load"))),
    "an unknown name of the guest": lambda s: give(s, put(s, ("guest", "_account"))),
    "the module's own names": lambda s: give(s, (0,)),
    "an object before the first": lambda s: give(s, (-1,)),
    "an object after the last": lambda s: give(s, (10**6,)),
    "an object of no number": lambda s: give(s, ("x",)),
    "two numbers": lambda s: give(s, (1, 2)),
    "itself": lambda s: give(s, put(s, ("tuple", None, [(s["mark"][0] + len(s["made"]),)]))),
    "the library's own table": lambda s: [give(s, (n,), f"probe{n}") for n in range(s["mark"][0])],
    "a guard that is replaced": lambda s: named_value(s, "@getattr", 1),
    "other built-ins": lambda s: named_value(s, "__builtins__", 1),
    "a special attribute": lambda s: attribute(s, first(s, "object"), "__class__"),
    "a reduction": lambda s: attribute(s, first(s, "object"), "__reduce_ex__"),
    "an interface to memory": lambda s: attribute(s, first(s, "object"), "__array_interface__"),
    "a frame's name": lambda s: attribute(s, first(s, "object"), "gi_frame"),
    "an attribute that is no text": lambda s: attribute(s, first(s, "object"), 5),  # type: ignore[arg-type]
    "a special method of a class": lambda s: swap(s, known(s, "Plain"), [("__getattribute__", 1)]),
    "a class's machinery": lambda s: swap(s, known(s, "Side"), [("_member_map_", 1)]),
    "a slot that is none": lambda s: swap(s, known(s, "slotted"), (None, None, [("a", (10**7,))])),
    "code that is not there": lambda s: function(s, 99, ("f", "f", None), []),
    "code below the first": lambda s: function(s, -1, ("f", "f", None), []),
    "too few cells": lambda s: function(s, 9, ("f", "f", None), [1, 2]),
    "a cell that is none": lambda s: closure(s, [5]),
    "a function's name that is none": lambda s: function(s, 0, (1, 2, 3), []),
    "a method of the library's": lambda s: give(s, put(s, ("method", None, (put(s, ("library", "", "len")), 1, None)))),
    "a method that no bot reads": lambda s: give(s, put(s, ("method", None, (None, "x", "__reduce_ex__")))),
    "all subclasses": lambda s: give(
        s, put(s, ("built-in method", None, (None, put(s, ("library", "", "object")), "__subclasses__")))
    ),
    "a class made anew": lambda s: give(s, put(s, ("class", None, None))),
    "a property made anew": lambda s: give(s, put(s, ("property", None, []))),
    "an unknown kind": lambda s: give(s, put(s, ("module", None, "os"))),
    "an object of a class that is none": lambda s: give(s, put(s, ("object", first(s, "list"), None))),
    "an object of a library's class": lambda s: give(s, put(s, ("object", put(s, ("library", "", "int")), None))),
    "a plain object of a class of lists": lambda s: give(s, put(s, ("object", known(s, "Rows"), None))),
    "a list of a plain class": lambda s: give(s, put(s, ("list", known(s, "Plain"), None))),
    "a random of a plain class": lambda s: give(s, put(s, ("random", known(s, "Plain"), None))),
    "a tuple of a class of lists": lambda s: give(s, put(s, ("tuple", known(s, "Rows"), []))),
    "a member that no enumeration has": lambda s: give(s, put(s, ("member", known(s, "Side"), 1))),
    "flags that are none": lambda s: give(s, put(s, ("member", known(s, "Bits"), 99))),
    "a set of another size": lambda s: set_content(s, mask=1 << 30),
    "a set of no size": lambda s: set_content(s, mask=6),
    "a set without room": lambda s: set_content(s, left=[0, 4, 5, 6, 7]),
    "a place outside": lambda s: set_content(s, places=[1, 2, 300]),
    "a place below": lambda s: set_content(s, places=[1, 2, -1]),
    "a place twice": lambda s: set_content(s, places=[1, 1, 2]),
    "a hash that cannot be": lambda s: set_content(s, hashes=[1, 2, -1]),
    "a hash beyond": lambda s: set_content(s, hashes=[1, 2, 1 << 64]),
    "a hash that is no number": lambda s: set_content(s, hashes=[1, 2, "x"]),
    "a finger outside": lambda s: set_content(s, finger=1 << 40),
    "members without places": lambda s: set_content(s, members=[1, 2, 3, 4]),
    "a key that has no hash": lambda s: give(s, 1, (s["mark"][0] + kind(s, "list"),)),  # type: ignore[arg-type]
    "an array of objects": lambda s: array(s, "|O", [2], "C", None, True),
    "an array of records": lambda s: array(s, "i4,i4", [2], "C", None, True),
    "an array of long doubles": lambda s: array(s, "<f16", [2], "C", None, True),
    "an array of raw bytes": lambda s: array(s, "|V8", [2], "C", None, True),
    "an array of no shape": lambda s: array(s, "<f8", [-1], "C", None, True),
    "an array of all memory": lambda s: array(s, "<f8", [1 << 40], "C", None, True),
    "an array of many dimensions": lambda s: array(s, "<f8", [1] * 99, "C", None, True),
    "a part outside its array": lambda s: array(s, "<f8", [9], None, (first(s, "array"), 8, [8]), True),
    "a part before its array": lambda s: array(s, "<f8", [1], None, (first(s, "array"), -64, [8]), True),
    "a part with strides outside": lambda s: array(s, "<f8", [3], None, (first(s, "array"), 0, [1 << 40]), True),
    "a part of a list": lambda s: array(s, "<f8", [1], None, (first(s, "list"), 0, [8]), True),
    "an array's content too short": lambda s: swap(s, first(s, "array"), (b"12345678", True)),
    "an array's content of objects": lambda s: swap(s, first(s, "array"), ([1, 2, 3], True)),
    "an old state past its end": lambda s: swap(s, first(s, "random state"), (bytes(2496), 5000, 0, 0.0)),
    "an old state before its start": lambda s: swap(s, first(s, "random state"), (bytes(2496), -5, 0, 0.0)),
    "an old state of another size": lambda s: swap(s, first(s, "random state"), (bytes(8), 1, 0, 0.0)),
    "a generator's state of texts": lambda s: swap(s, first(s, "generator"), {"state": {"state": "x", "inc": 1}}),
    "a random state that is none": lambda s: swap(s, first(s, "random"), (3, [1, 2], None)),
    "a deque of no length": lambda s: replaced(s, "deque", ("deque", None, "x")),
    "a deque of less than no length": lambda s: replaced(s, "deque", ("deque", None, -5)),
    "a pattern that is none": lambda s: replaced(s, "pattern", ("pattern", None, ("(", 0))),
    "a pattern of numbers": lambda s: replaced(s, "pattern", ("pattern", None, (1, "x"))),
    "a view of the module's names": lambda s: give(s, put(s, ("mapping", None, (0,)))),
    "an exception of no class": lambda s: give(
        s, put(s, ("exception", None, (put(s, ("library", "", "int")), put(s, ("tuple", None, [])))))
    ),
    "an iterator over the bot's own": lambda s: give(s, put(s, ("iterator", None, ("iter", [first(s, "object")])))),
    "an iterator of another make": lambda s: give(s, put(s, ("iterator", None, ("exec", ["1"])))),
    "content of a leaf": lambda s: s["contents"].append((10**7, None)),
    "content of a number": lambda s: s["contents"].append((put(s, ("number", 1.0))[0], (None, [], [], None))),
    "too many objects": lambda s: s["made"].extend([("list", None, None)] * 300_000),
    "numbers of what is not there": lambda s: s["numbers"][0][0].append((10**7, 1)),
    "numbers that are none": lambda s: s["numbers"][0][0].append((known(s, "plain")[0], "x")),
    "numbers by a real module's name": lambda s: s["numbers"][0][1].append((("module", "no such"), 1)),
    "a last number that is none": lambda s: s["numbers"].__setitem__(0, ([], [], "x")),
    "chance that is none": lambda s: library(s, random=(3, "x", None)),
    "numpy's chance past its end": lambda s: library(s, numpy=(bytes(2496), 9999, 0, 0.0)),
    "a logger that is none": lambda s: library(s, loggers={5: 5}),
    "settings that are none": lambda s: library(s, errors={"divide": "x"}),
    "printing with what is not known": lambda s: library(s, printing={"import": 1}),
    "decimals that are none": lambda s: library(s, decimal=[1, 2, 3, 4]),
    "a time that is none": lambda s: library(s, now="x"),
    "no start": lambda s: about(s, meta=b""),
    "a start of code": lambda s: about(s, meta=marshal.dumps(compile("1", "bot.py", "exec"))),
    "orders of no side": lambda s: about(
        s, guest=[("X",), (1.0, {}, 0.0, 0.0, -1, 0), [("X", "UP", 1.0)], {}, {}, 0.0]
    ),
    "no account": lambda s: about(s, guest=None),
}  # fmt: skip


@pytest.mark.parametrize("forge", BYTES.values(), ids=BYTES.keys())
def test_forged_bytes_are_refused_in_the_worker(
    bots: Pool, program: bytes, sound: bytes, forge: Callable[[bytes], bytes]
) -> None:
    worker, problem = restore(bots, program, forge(sound))
    worker.close()
    assert problem


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_forged_objects_are_refused_in_the_worker(
    bots: Pool, program: bytes, sound: bytes, forge: Callable[[Saved], Any]
) -> None:
    saved = opened(sound)
    forge(saved)
    worker, problem = restore(bots, program, sealed(saved))
    worker.close()
    assert problem


def test_a_sound_one_taken_apart_and_put_together_is_restored(bots: Pool, program: bytes, sound: bytes) -> None:
    worker, problem = restore(bots, program, sealed(opened(sound)))
    assert not problem
    assert len(ticks(worker, 1, 3)) == 2
    worker.close()
