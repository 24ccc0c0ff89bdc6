"""Whatever is offered can be called in a tick, where the tripwire ends every bot that reaches the host."""

from __future__ import annotations

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest
from sandbox.language.modules import build
from sandbox.language.modules.services import Services
from sandbox.pool import Pool

# Each is called with whichever of these it takes; the arguments are made anew for every call.
SOURCE = """
import {module} as m
NAME = "caller"
SYMBOLS = ["BTCUSDT"]
GIVEN = [
    lambda: (), lambda: (2,), lambda: (2.5,), lambda: ("a b",), lambda: ([3.0, 1.0, 2.0],), lambda: ("%Y", ),
    lambda: ("2024", "%Y"), lambda: ([1.0, 2.0, 4.0], [3.0, 1.0, 2.0]), lambda: (2, 3), lambda: (lambda x: x, [1, 2]),
    lambda: ([1.0, 2.0, 3.0, 4.0], 2), lambda: (len,), lambda: (Mine,), lambda: ("X", ["a", "b"]),
    lambda: ("a", "banana"), lambda: ("a", "b", "banana"), lambda: (2, 3, 4), lambda: ([[2.0, 1.0], [1.0, 3.0]],),
    lambda: ([[2.0, 1.0], [1.0, 3.0]], [1.0, 2.0]), lambda: ([[1.0, 2.0]], 0), lambda: (Mine(),),
    lambda: (lambda x: x, 0, [[1.0, 2.0]]), lambda: (["a"],), lambda: ("i,i->", [1.0], [2.0]),
]
class Mine:
    x = 1
TICK = [0]
def on_tick(ctx, tick):
    called, part = 0, TICK[0]
    TICK[0] += 1
    for name in {names!r}[part::10]:
        if name in {skipped!r}:
            continue
        offered = getattr(m, name)
        if not callable(offered):
            continue
        for make in GIVEN:
            try:
                result = offered(*make())
                repr(result)
                called += 1
            except Exception as error:
                str(error)
    ctx.log(f"called {{called}}")
"""
# Endless or huge by design: the CPU and memory limits are theirs.
SKIPPED = ("count", "cycle", "repeat", "factorial", "perm", "comb", "print")
MODULES = build(Services())


def play(pool: Pool, source: str, ticks: int = 3) -> tuple[str, list[str], list[object]]:
    rows = np.array([[1_700_000_000.0 + n, 100.0 + n] for n in range(ticks)])
    market = RecordedMarket(("BTCUSDT",), rows)
    candidate = BotSource("caller.py", source.encode())
    (result,) = backtest(pool, [candidate], market, Rules(10_000.0, 0.0, 0.0), run=1)
    logs = [] if result.play is None else [str(line) for line in result.play.ledger.logs]
    return result.status, logs, [*result.endings, *result.violations]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_offered_function_can_be_called_in_a_tick(bots: Pool, module: str) -> None:
    names = sorted(name for name in MODULES[module].__dict__ if not name.startswith("__"))
    source = SOURCE.format(module=module, names=names, skipped=SKIPPED)
    status, logs, wrong = play(bots, source, ticks=10)
    assert (status, wrong) == ("ok", [])
    assert any("called" in line for line in logs)


def test_warnings_of_numpy_do_not_end_a_bot(bots: Pool) -> None:
    body = "    x = [np.log(np.zeros(2)), np.mean([]), np.float64(1) / 0, np.array([1e308]) * 10]\n"
    source = (
        'import numpy as np\nNAME = "w"\nSYMBOLS = ["BTCUSDT"]\n'
        f"def on_tick(ctx, tick):\n{body}    ctx.log('alive')\n"
    )
    status, logs, wrong = play(bots, source)
    assert (status, wrong) == ("ok", [])
    assert len(logs) == 3


def test_classes_can_be_made_in_a_tick(bots: Pool) -> None:
    source = """
NAME = "maker"
SYMBOLS = ["BTCUSDT"]
def on_tick(ctx, tick):
    from dataclasses import dataclass, field, asdict
    from enum import Enum
    from typing import NamedTuple, Protocol
    from collections import namedtuple
    from abc import ABC, abstractmethod
    import datetime, copy
    @dataclass(frozen=True, order=True)
    class D:
        x: int = 1
        y: list = field(default_factory=list)
    class E(Enum):
        A = 1
    F = Enum("F", "A B")
    class N(NamedTuple):
        a: int = 1
    class P(Protocol):
        def f(self): ...
    T = namedtuple("T", "a b")
    when = datetime.datetime.strptime("2024-01-02 03", "%Y-%m-%d %H")
    ctx.log(f"{asdict(D())} {E.A} {F.B} {N()} {T(1, 2)} {when:%A} {copy.deepcopy(D())}")
"""
    status, logs, wrong = play(bots, source)
    assert (status, wrong) == ("ok", [])
    assert len(logs) == 3
