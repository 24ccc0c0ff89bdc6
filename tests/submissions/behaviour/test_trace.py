"""What a worker shows of a tick: plain values, in bounds, without running the bot's own code for it."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.runtime.trace import MOST_BYTES, shown
from arena.submissions.behaviour.player import BotPlayer, Run, read_trace
from arena.submissions.behaviour.tapes import MarketSpec, tapes_for
from sandbox.pool import Pool
from tests.arenas import bot_source

SWINGS = tapes_for(MarketSpec(("BTCUSDT",), {"BTCUSDT": 100.0}))[0].market


def played(pool: Pool, source: str, *ticks: int) -> Run:
    checked = pool.check(source.encode())
    assert checked.accepted, checked.violations
    return BotPlayer(pool, checked.program, "Traced", "0" * 64, Rules()).play(SWINGS, ticks)


def test_lines_values_and_questions_are_shown_in_order(pool: Pool) -> None:
    body = "a = ctx.get_cash()\nb = a / 4\nctx.submit_order('BTCUSDT', 'BUY', 0.5)"
    trace = played(pool, bot_source(body), 3).traces[3]
    lines = [step[1] for step in trace["steps"] if step[0] == "line"]
    assert lines[:3] == [5, 6, 7]
    assert ["ctx", 5, "get_cash", [], 10_000.0 - trace_spent(trace)] in trace["steps"]
    assert ["ctx", 7, "submit_order", ["BTCUSDT", "BUY", 0.5], None] in trace["steps"]


def trace_spent(trace: dict[str, Any]) -> float:
    """Return what the bot had spent before: what it was told it has, taken from what it began with."""
    asked = next(step for step in trace["steps"] if step[0] == "ctx" and step[2] == "get_cash")
    return float(10_000.0 - asked[4])


def test_what_a_bot_does_is_the_same_whether_it_is_watched_or_not(pool: Pool) -> None:
    body = "import random\nif random.random() < 0.2: ctx.submit_order('BTCUSDT', 'BUY', 0.01)"
    plain, watched = played(pool, bot_source(body)), played(pool, bot_source(body), *range(0, 200, 7))
    assert plain.signals() == watched.signals()
    assert plain.signals()
    assert len(watched.traces) == len(range(0, 200, 7))


@pytest.mark.parametrize(
    "body",
    [
        "for n in range(30000):\n    x = n",
        "d = {str(n): 'x' * 5000 for n in range(300)}\ns = 'y' * 100000",
        "def f(n):\n    return 0 if n == 0 else f(n - 1) + 1\nx = f(150)",
    ],
)
def test_a_trace_is_bounded(pool: Pool, body: str) -> None:
    run = played(pool, bot_source(body), 2)
    assert run.ending is None
    assert len(str(run.traces[2])) < 2 * MOST_BYTES


def test_no_code_of_a_bot_runs_to_show_its_values(pool: Pool) -> None:
    top = (
        "calls = []\nclass Odd:\n    def __init__(self): self.size = 3\n"
        "    def __repr__(self): calls.append('repr'); return 'odd'\n"
        "    def __eq__(self, other): calls.append('eq'); return True\n"
        "    def __hash__(self): return 1\n    def __len__(self): calls.append('len'); return 1\nodd = Odd()"
    )
    run = played(pool, bot_source("mine = odd\nctx.log(str(len(calls)))", top=top), *range(10))
    assert {message for _, _, message in run.account.ledger.logs} == {"0"}
    assert run.traces[5]["globals"]["odd"] == {"type": "Odd", "attributes": {"size": 3}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5), (float("inf"), "inf"), (True, True), (None, None), ("x" * 200, "x" * 80),
        (10**30, "a whole number of 100 bits"),
        (np.float64(2.5), 2.5), (deque([1, 2, 3, 4]), {"type": "deque", "len": 4, "last": [2, 3, 4]}),
        ({"a": 1}, {"type": "dict", "len": 1, "entries": {"a": 1}}),
        (np.array([1.0, 2.0]), {"type": "ndarray", "len": 2, "last": [1.0, 2.0]}),
        (len, {"type": "builtin_function_or_method"}),
    ],
)  # fmt: skip
def test_values_are_shown_plainly(value: object, expected: object) -> None:
    assert shown(value) == expected


@pytest.mark.parametrize(
    "record",
    [b"", b"[]", b"{", b'{"steps": 1}', b'{"steps": [], "globals": [], "after": {}}', b"[" * 5000, b"\xff"],
)
def test_a_forged_trace_is_none(record: bytes) -> None:
    assert read_trace(record) is None


def test_forged_steps_are_left_out() -> None:
    found = read_trace(
        b'{"globals": {}, "after": {}, "steps": [["line", "x", "f", {}, {}], ["line", 1, "f", {}], '
        b'["line", 1, "f", {}, 1], ["line", 1, "f", {}, {}], 3], "left_out": "x"}'
    )
    assert found is not None
    assert (found["steps"], found["left_out"]) == ([["line", 1, "f", {}, {}]], 0)
