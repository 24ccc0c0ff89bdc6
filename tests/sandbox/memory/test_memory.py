"""A bot that is stopped and restored from its snapshot goes on as if nothing had been: every reply is the same."""

from __future__ import annotations

import ast
import json
import random
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import Pool
from tests.sandbox.market import bot
from tests.sandbox.memory.memory_kit import begin, compare, program_of, restore, snapshot, ticks

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SHIPPED = sorted((ROOT / "bots").glob("*.py"))
ANSWERS = sorted((ROOT.parent / "shared" / "completions").glob("*.json"))
FENCE = re.compile(r"```(?:python|py)?[ \t]*\r?\n(.*?)```", re.DOTALL)
CASES = sorted((ROOT / "tests" / "sandbox" / "language" / "cases").glob("*.txt"))
EVERY_KIND = (HERE / "every_kind.txt").read_bytes()


def at(name: str, end: int, count: int = 2) -> list[int]:
    """Ticks to stop at, any but always the same."""
    return sorted(random.Random(name).sample(range(1, end), count))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_bots_go_on_as_they_were(bots: Pool, path: Path) -> None:
    assert compare(bots, path.read_bytes(), at(path.stem, 90), 100) == ""


def accepted() -> Iterator[tuple[str, bytes]]:
    for path in ANSWERS:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["expect"] != "reject":
            blocks = FENCE.findall(told["completion"])
            whole = [block for block in blocks if "on_tick" in block]
            yield path.stem, (whole or blocks or [told["completion"]])[-1].encode()


@pytest.mark.skipif(not ANSWERS, reason="the shared answers are not beside this project")
def test_answers_of_models_go_on_as_they_were(bots: Pool) -> None:
    told = {name: compare(bots, source, at(name, 110), 120) for name, source in accepted()}
    assert len(told) > 10
    assert {problem for problem in told.values() if problem and "generator" not in problem} == set()
    assert sum(not problem for problem in told.values()) > 0.9 * len(told)


@pytest.mark.parametrize("stop", [0, 1, 21, 46, 60])
def test_every_kind_of_object_is_put_back(bots: Pool, stop: int) -> None:
    assert compare(bots, EVERY_KIND, [stop, stop + 1], stop + 20) == ""


# -- programs of the language tests ----------------------------------------------------------------------

HEAD = """NAME = "case"
SYMBOLS = ["BTCUSDT"]
SEEN = []
KEEP = []
def out(*values):
    SEEN.extend(repr(value)[:200] for value in values)
"""


def programs() -> Iterator[tuple[str, str]]:
    for path in CASES:
        for block in re.split(r"^# --- ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, _, body = block.partition("\n")
            yield f"{path.stem}:{name.strip()}", body


def stored(body: str) -> list[str]:
    """The names that a program's own level binds."""
    found: list[str] = []
    for node in ast.parse(body).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For | ast.With):
            found += [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def as_module(body: str) -> str:
    shown = "".join(
        f"    try:\n        ctx.log(repr({name})[:300])\n        KEEP.append(str({name}))\n"
        f"    except Exception as error:\n        ctx.log(type(error).__name__)\n"
        for name in stored(body)
    )
    return f"{HEAD}{body}\ndef on_tick(ctx, tick):\n    SEEN.append(len(SEEN))\n    ctx.log(str(SEEN[-3:]))\n{shown}"


def as_function(body: str) -> str:
    return (
        f"{HEAD}def on_tick(ctx, tick):\n    if len(KEEP) in (1, 4):\n        program()\n    KEEP.append(1)\n"
        f"    ctx.log(repr(KEEP)[:900])\n    ctx.log(str(SEEN[-9:])[:900])\n"
        f"def program():\n{textwrap.indent(body, '    ')}\n    KEEP.append([{', '.join(stored(body))}])\n"
    )


@pytest.mark.parametrize("form", [as_module, as_function], ids=["as a module", "while it runs"])
def test_programs_of_the_language_tests_go_on_or_are_named(bots: Pool, form) -> None:  # type: ignore[no-untyped-def]
    told: dict[str, str] = {}
    # Each takes three workers: one in six. A class that a function makes cannot be saved, which other tests say.
    chosen = [(name, body) for name, body in programs() if form is as_module or "class " not in body]
    for name, body in chosen[:: 6 if form is as_module else 3]:
        source = form(body).encode()
        if bots.check(source).accepted:
            told[name] = compare(bots, source, at(name, 8), 10)
    # Classes made while a bot runs, generators and the like: each is named with the way to it.
    assert all(" is " in problem for problem in told.values() if problem)
    assert sum(not problem for problem in told.values()) > 0.6 * len(told) > 3


# -- what a bot can tell apart -----------------------------------------------------------------------------

EXACT = {
    "a set's order after many removals": (
        "S = set()\ni = 0",
        "global i\ni += 1\nS.update(range(i * 37 % 1000, i * 37 % 1000 + 40))\n"
        "for x in list(S)[::2]:\n    S.discard(x)\nif i % 3 == 0:\n    ctx.log(str(S.pop()))\nctx.log(str(list(S)[:50]))",
    ),
    "sets and dicts of objects with a hash of their own": (
        "class K:\n    calls = 0\n    def __init__(self, k):\n        self.k = k\n    def __hash__(self):\n"
        "        K.calls += 1\n        return self.k % 3\n    def __eq__(self, other):\n        K.calls += 1\n"
        "        return self.k == other.k\nD, S = {}, set()\ni = 0",
        "global i\ni += 1\nD = {K(i): 1}\nS.add(K(i * 3 + i % 3)) if i < 3 else None\n"
        "ctx.log(f'{K.calls} {[k.k for k in S]} {[k.k for k in D]}')",
    ),
    "a set that holds itself by way of an object": (
        "class A:\n    pass\na = A()\na.s = {a, 1}\nb = []",
        "b.append(tick)\nctx.log(f'{a in a.s} {len(b)} {a!r} {list(a.s)!r}')",
    ),
    "numbers that objects hash and print by": (
        "class A:\n    pass\nKEPT = []",
        "KEPT.append(A())\nif len(KEPT) > 5:\n    KEPT.pop(0)\nctx.log(f'{KEPT} {hash(KEPT[-1])} {hash(len)} {hash(A)}')",
    ),
    "defaults and closures that change": (
        "def make():\n    n = [0]\n    def f(x, seen=[]):\n        n[0] += 1\n        seen.append(x)\n"
        "        return n[0], len(seen)\n    return f\nF = make()\nG = make()",
        "ctx.log(f'{F(1)} {F(2)} {G(3)}')",
    ),
    "a function that is replaced": (
        "n = 0\ndef a():\n    return 'a'\ndef b():\n    return 'b'\nnow = a",
        "global now, n\nn += 1\nnow = a if n % 2 else b\nctx.log(now() + str(now is a))",
    ),
    "on_tick that replaces itself": (
        "n = 0\ndef other(ctx, tick):\n    ctx.log('other')",
        "global n, on_tick\nn += 1\nctx.log(str(n))\nif n == 4:\n    on_tick = other",
    ),
    "attributes of classes": (
        "class A:\n    limit = 1\n    rows = []\n    def go(self):\n        return self.limit\nclass B(A):\n    pass\nn = 0",
        "global n\nn += 1\nA.limit = n\nA.rows.append(n)\nB.own = n\nif n == 5:\n    del B.own\n    B.go = lambda self: 'new'\n"
        "ctx.log(f'{A.limit} {B.limit} {A.rows} {hasattr(B, \"own\")} {B().go()}')",
    ),
    "slots, some of them empty": (
        "class A:\n    __slots__ = ('a', 'b')\nx = A()\nn = 0",
        "global n\nn += 1\nif n % 2:\n    x.a = [n]\nelse:\n    del x.a\nctx.log(f'{hasattr(x, \"a\")} {hasattr(x, \"b\")}')",
    ),
    "parts of arrays that share memory": (
        "import numpy as np\nA = np.arange(24.0)\nV = A.reshape(4, 6)[1:3, ::-2]\nW = V[0]\nn = 0",
        "global n\nn += 1\nA[n % 24] += n\nW[1] = n\nctx.log(str(A.tolist()) + str(V.tolist()))",
    ),
    "an array that is replaced by part of itself": (
        "import numpy as np\nA = np.zeros(8)",
        "global A\nA = np.append(A, tick['prices']['BTCUSDT'])[-8:]\nctx.log(str(A.tolist()))",
    ),
    "NaN, which only its identity finds again": (
        "import math\nN = float('nan')\nL = [N, math.nan, float('nan')]\nK = []",
        "K.append(N)\nctx.log(f'{N in L} {math.nan in L} {K.count(N)} {L == list(L)}')",
    ),
    "all chances": (
        "import random, numpy as np\nR = random.Random(3)\nG = np.random.default_rng()\nO = np.random.RandomState()",
        "np.random.normal()\nR.gauss(0, 1)\nctx.log(f'{random.random()} {random.gauss(0, 1)} {R.gauss(0, 1)} {np.random.rand()} '"
        " f'{np.random.normal()} {G.normal()} {G.integers(9)} {O.rand()} {random.choice([1, 2, 3])}')",
    ),
    "numpy first used late": (
        "n = 0",
        "global n\nn += 1\nif n > 6:\n    import numpy as np\n    ctx.log(str(np.random.rand()))",
    ),
    "flags and numbers that are enumerations": (
        "from enum import Flag, IntEnum, auto\nclass F(Flag):\n    A = auto()\n    B = auto()\n    C = auto()\n"
        "class I(IntEnum):\n    X = 1\nK = {}\nn = 0",
        "global n\nn += 1\nK[F.A | F.C] = n\nK[I.X] = n\nctx.log(f'{K} {F.A | F.C in K} {[k is I.X for k in K]}')",
    ),
    "iterators that are half read": (
        "import itertools\nC = itertools.cycle('abc')\nN = itertools.count(5, 2)\nL = iter([1, 2, 3, 4, 5, 6])\n"
        "E = enumerate(range(100))\nZ = zip(N, C)",
        "ctx.log(f'{next(C)} {next(N)} {next(L, None)} {next(E)} {next(Z)}')",
    ),
    "ctx and its methods": (
        "S = {}",
        "S.setdefault('ctx', ctx)\nS.setdefault('log', ctx.log)\nS['log'](str(S['ctx'] is ctx))\n"
        "S['ctx'].submit_order('BTCUSDT', 'BUY', 0.5)\nctx.log(str(ctx.get_cash()))",
    ),
    "levels of loggers": (
        "import logging\nL = logging.getLogger('a')\nn = 0",
        "global n\nn += 1\nL.setLevel('ERROR' if n % 3 else 'INFO')\nL.info('seen')\nlogging.getLogger('b').setLevel(10)\n"
        "logging.getLogger('b').debug('low')",
    ),
    "contexts of decimals and of numpy": (
        "import decimal, numpy as np\nn = 0",
        "global n\nn += 1\ndecimal.getcontext().prec = n + 3\nnp.set_printoptions(precision=n)\n"
        "ctx.log(str(decimal.Decimal(1) / 7) + str(np.array([1 / 3])))",
    ),
    "errors that are kept": (
        "class E(Exception):\n    def __init__(self, a, b):\n        self.b = b\n        super().__init__(a)\nL = []\nn = 0",
        "global n\nn += 1\nL.append(E(n, [n]))\nctx.log(str([(e.args, e.b) for e in L[-3:]]))",
    ),
    "an order that waits": ("n = 0", "global n\nn += 1\nctx.submit_order('BTCUSDT', 'BUY' if n % 2 else 'SELL', 1)\nctx.log(str(tick['bot']))"),
    "errors in every tick": ("n = 0", "global n\nn += 1\nreturn [][n]"),
}  # fmt: skip


@pytest.mark.parametrize(("top", "body"), EXACT.values(), ids=EXACT.keys())
def test_a_bot_cannot_tell(bots: Pool, top: str, body: str) -> None:
    assert compare(bots, bot(body, top), [4, 5, 9], 13) == ""


NAMED = {
    "a generator": ("S = {}", "S['feed'] = (x for x in [1])", "S['feed'] is a generator"),
    "inside an object": ("class A:\n    pass\na = A()", "a.parts = [1, iter({1: 2})]", "a.parts[1] is an iterator"),
    "a class of its own making": (
        "L = []", "class A:\n    pass\nL.append(A())", "the class on_tick.<locals>.A, made while the bot ran",
    ),
    "a cache that holds something": (
        "import functools\n@functools.lru_cache\ndef f(x):\n    return x", "f(1)", "remembers its results (lru_cache)",
    ),
    "an error that was raised": (
        "L = []", "try:\n    1 / 0\nexcept Exception as error:\n    L.append(error)", "L[0] is a ZeroDivisionError",
    ),
    "an array of objects": ("import numpy as np\nL = []", "L.append(np.array([1, None]))", "L[0] is an array of type"),
    "a generator that a closure keeps": (
        "def make(g):\n    def f():\n        return g\n    return f\nL = []", "L.append(make(x for x in [1]))", "is a generator",
    ),
    "too much": ("import random\nL = []", "L.extend(random.random() for _ in range(300000))", "it is larger than"),
    "too many objects": ("L = []", "L.extend([] for _ in range(250000))", "more than"),
}  # fmt: skip


@pytest.mark.parametrize(("top", "body", "named"), NAMED.values(), ids=NAMED.keys())
def test_what_cannot_be_saved_is_named_and_the_bot_goes_on(bots: Pool, top: str, body: str, named: str) -> None:
    worker = begin(bots, program_of(bots, bot(body, top)))
    ticks(worker, 0, 1)
    taken = snapshot(bots, worker)
    assert taken.data is None
    assert named in taken.problem
    assert len(ticks(worker, 1, 2)) == 1
    worker.close()


def test_a_snapshot_of_another_program_is_refused(bots: Pool) -> None:
    worker = begin(bots, program_of(bots, bot("pass", "A = [1, 2]\nB = {}")))
    taken = snapshot(bots, worker)
    worker.close()
    assert taken.data is not None
    other, problem = restore(bots, program_of(bots, bot("pass", "A = [1, 2]\nB = ()\nC = []")), taken.data)
    other.close()
    assert "the module is not what it was" in problem


def test_saving_changes_nothing(bots: Pool) -> None:
    program = program_of(bots, EVERY_KIND)
    one, other = begin(bots, program), begin(bots, program)
    straight = ticks(one, 0, 12)
    saved: list[bytes] = []
    for index in range(12):
        assert snapshot(bots, other).data is not None
        saved += ticks(other, index, index + 1)
    one.close()
    other.close()
    assert saved == straight
