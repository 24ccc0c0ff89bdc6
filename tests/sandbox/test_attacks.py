"""In a real locked worker: one expression an attack, by class; each must end in an exception, never in a value."""

from __future__ import annotations

import pytest

from sandbox.pool import Pool
from tests.sandbox.market import bot, reply, start, tick

TOP = """
import abc, collections, copy, dataclasses, datetime as dt, decimal, enum, functools, operator, random, time, types
import typing
import numpy as np
class Own: pass
class Lying(str):
    def __hash__(self): return hash("__array_interface__")
    def __eq__(self, other): return True
class Huge(int):
    def __lt__(self, other): return False
    def __gt__(self, other): return False
    def __sub__(self, other): return 0
    def __index__(self): return 99
@dataclasses.dataclass
class Record:
    a: int = 1
def generate(): yield 1
def rename(name):
    dataclasses.fields(Record)[0].name = name
    try: return dataclasses.asdict(Record())
    finally: dataclasses.fields(Record)[0].name = "a"
X, RNG, OLD, GEN = np.zeros(4), np.random.default_rng(3), np.random.RandomState(3), generate()
FLAGS = decimal.Context().flags
"""

ATTACKS = {
    "special names": """
        setattr(Own(), Lying("x"), 1)
        vars(Own()).__setitem__(Lying("x"), 1)
        vars(Own()).update({Lying("x"): 1})
        vars(Own()).setdefault(Lying("x"), 1)
        vars(Own()).__ior__({Lying("x"): 1})
        types.SimpleNamespace({Lying("x"): 1})
        types.SimpleNamespace(**{Lying("x"): 1})
        types.SimpleNamespace(**{"__array_interface__": 1})
        types.SimpleNamespace.__init__(types.SimpleNamespace(), **{"__array_interface__": 1})
        collections.namedtuple("A", "__class__")
        collections.namedtuple("A", ["x=1"])
        collections.namedtuple("a b", "x")
        collections.namedtuple("A", "x")(1)._replace(**{"__class__": 1})
        typing.NamedTuple("A", [("__x__", int)])
        rename("mro")
        rename("register")
        rename("gi_frame")
        rename("__class__")
        rename("__dict__")
        rename("_abc_impl")
        rename("a b")
        rename("None")
        rename(Lying("a"))
        dataclasses.replace(Record(), **{"__class__": 1})
        dataclasses.asdict(Record(), dict_factory=vars)
        dataclasses.asdict(Record(), dict_factory=getattr)
        enum.Enum("X", {"mro": 1})
        enum.Enum("X", {"__class__": 1})
        enum.EnumMeta("X", (), {})
    """,
    "reading by name": """
        "{0.gi_frame}".format(GEN)
        "{0.__globals__}".format(generate)
        "{a.__globals__}".format_map({"a": generate})
        str.format("{0.__globals__}", generate)
        "".join(map(str.format, ["{0.__code__}"], [generate]))
        list(map("{0.__code__}".format, [generate]))
        getattr("{0.__code__}", "format")(generate)
        "{:{0.__globals__}}".format(generate)
        functools.partial(getattr, generate, "__globals__")()
        functools.reduce(getattr, ["__class__"], 1)
        list(map(getattr, [generate], ["__code__"]))
        operator.attrgetter("__globals__")(generate)
        operator.attrgetter("real.__class__")(1)
        operator.methodcaller("gi_frame")(GEN)
        getattr(GEN, "gi_frame")
        getattr(GEN, "gi_code")
        getattr(ValueError(), "__traceback__")
        getattr(ValueError(), "with_traceback")
        getattr(ValueError(), "__reduce__")
        getattr(Own, "mro")
        getattr(collections.abc.Sequence, "register")
        getattr(list[int], "mro")
        getattr(functools.cached_property(len), "__set_name__")
        getattr(FLAGS, "_real")
        getattr(FLAGS, "__context__")
        getattr(decimal.Context, "flags")
        type("X", (), {})
        type(1).mro()
        type.mro(int)
    """,
    "numpy's generators": """
        RNG.bit_generator
        getattr(RNG, "_bit_generator")
        getattr(RNG, "__setstate__")
        RNG.spawn(1)
        OLD.set_state(OLD.get_state())
        getattr(OLD, "_bit_generator")
        getattr(OLD, "__reduce__")
        np.random.Generator(Own())
        np.random.Generator(1)
        np.random.default_rng(Own())
        np.random.RandomState(Own())
        RNG.permuted(np.arange(9), out=np.zeros(9, "i1"))
        RNG.standard_normal(out=np.zeros(3, "f4"))
        RNG.integers([1, 2], [5, 4], dtype="O")
        RNG.choice(5, 3, p=[2, -1, 0, 0, 0])
        RNG.multinomial(10, [2, -1])
        np.random.multinomial(10, [2, -1])
        np.random.choice([1], p=[float("nan")])
        RNG.hypergeometric(2**62, 2**62, 5)
        random.Random(1).setstate((3, (1,) * 624 + (625,), None))
        random.Random(1).setstate((3, (1,) * 624 + (2**32,), None))
        random.Random(1).setstate((3, (1,) * 624 + (-1,), None))
        random.Random.__new__(random.Random)
    """,
    "object fields beside numbers": """
        np.dtype(("O", "i8"))
        np.dtype(("i8", "O"))
        np.dtype(("O", [("a", "i8")]))
        np.dtype(([("a", "O")], [("b", "i8")]))
        np.dtype(("i8", [("a", "O")]))
        np.dtype(("V8", "O"))
        np.dtype(("O", "V8"))
        np.dtype({"names": ["a", "b"], "formats": ["O", "i8"], "offsets": [0, 0]})
        np.dtype({"names": ["a"], "formats": ["i8"], "offsets": [100], "itemsize": 8})
        np.dtype({"names": ["a"], "formats": ["i8"], "offsets": [-8]})
        np.dtype({"a": ("O", 0), "b": ("i8", 4)})
        np.array([len], "O").astype("V8")
        np.array([1.5], "g").astype("V16")
        np.multiply(np.array(["ab"], "T"), 2**62)
        np.array(["ab"], "T").tobytes()
        np.array([("x",)], [("a", "T")])
    """,
    "places outside an array": """
        np.lib.stride_tricks.sliding_window_view(X, Huge(1000))
        np.lib.stride_tricks.sliding_window_view(X, (Huge(1000),))
        np.lib.stride_tricks.sliding_window_view(X, 1, axis=Huge(7))
        np.lib.stride_tricks.sliding_window_view(X, -1)
        np.lib.stride_tricks.sliding_window_view(X, 1.5)
        np.lib.stride_tricks.sliding_window_view(X, "22")
        np.broadcast_to(X, (Huge(1000),))
        np.resize(X, (Huge(2**62),))
        np.take(X, Huge(1000))
        np.partition(X, Huge(1000))
        X[Huge(1000)]
        X.item(Huge(1000))
        X.flat[100]
        X.flat[[100]]
        X[np.array([2**63 - 1])]
        np.add.at(X, [10], 1.0)
        np.add.at(X, [-10], 1.0)
        np.add.reduceat(X, [10])
        np.add.reduceat(X, [-1])
        np.take(X, [100])
        np.put(X, [100], 1)
        np.choose([5], [1, 2])
        X.searchsorted([1], sorter=[9, 9, 9, 9])
        np.partition(X, 100)
        np.argpartition(X, [100])
        np.lexsort([[1, 2], [1]])
        np.bincount([2**62])
        np.bincount([-1])
        np.unravel_index(100, (3, 3))
        np.einsum("ii->i", np.zeros((2, 3)))
        np.correlate(X, X, mode=77)
        np.repeat(X, [-1] * 4)
        np.tile(X, 2**62)
        np.pad(X, 2**61)
        np.delete(X, [9])
        np.arange(0, 1, 1e-300)
        np.copyto(X, [1, 2, 3, 4], where=[1, 0])
        np.place(X, [1, 1, 1, 1], [])
    """,
    "times that are none": """
        dt.date(bytes([0, 0, 1, 1])).ctime()
        dt.date(bytes([0, 0, 1, 3])).ctime()
        dt.datetime(bytes([0, 0, 1, 1, 0, 0, 0, 0, 0, 0])).ctime()
        dt.date(bytes([255, 255, 12, 255])).ctime()
        dt.date(bytes([255, 255, 12, 255])).strftime("%Y")
        dt.date(bytes([255, 255, 12, 255])) + dt.timedelta(1)
        dt.datetime(bytes([7, 230, 12, 255, 255, 255, 255, 255, 255, 255])).strftime("%c")
        dt.datetime(bytes([7, 230, 13, 1, 0, 0, 0, 0, 0, 0]))
        dt.time(bytes([24, 0, 0, 0, 0, 0]))
        dt.date.fromisoformat("0000-W25")
        dt.date.fromisoformat("2020W")
        dt.datetime.fromisoformat("\\ud800" * 20)
        time.asctime((2000, 13, 1, 0, 0, 0, 0, 0, 0))
        time.strftime("%a", (2000, 13, 1, 0, 0, 0, 0, 1, 0))
        time.mktime((10**20,) * 9)
        time.ctime(1e300)
        decimal.Decimal("1.5").__format__("n", {"decimal_point": "." * 200})
    """,
}
EACH = [(kind, line.strip()) for kind, text in ATTACKS.items() for line in text.strip().splitlines()]


@pytest.fixture(scope="module")
def outcomes(bots: Pool) -> dict[str, str]:
    found = {}
    for kind, text in ATTACKS.items():
        lines = [line.strip() for line in text.strip().splitlines()]
        tries = "".join(f"    lambda: {line},\n" for line in lines)
        body = (
            "for number, attack in enumerate(TRIES):\n"
            "    try:\n"
            "        found = 'value'\n"
            "        attack()\n"
            "    except Exception as error:\n"
            "        found = type(error).__name__\n"
            "    ctx.log(f'{number} {found}')"
        )
        worker = start(bots, bot(body, f"{TOP}\nTRIES = [\n{tries}]\n"))
        for _, said in reply(tick(worker, soft=5.0, hard=5.0, wall=60.0)).deeds[0].logs:
            number, _, outcome = said.partition(" ")
            found[f"{kind}: {lines[int(number)]}"] = outcome
        worker.close()
    return found


@pytest.mark.parametrize(("kind", "attack"), EACH)
def test_an_attack_ends_in_an_exception(outcomes: dict[str, str], kind: str, attack: str) -> None:
    assert outcomes[f"{kind}: {attack}"] not in {"value", "SystemError"}
