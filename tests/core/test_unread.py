"""A function that never reads an argument is known as such, and one that may read it never is."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.runtime.unused_tick import reads_argument

IGNORING = [
    "def on_tick(ctx, tick): pass",
    "def on_tick(ctx, tick):\n    return [c for c in (1, 2) if c]",
    "on_tick = lambda ctx, tick: ctx",
    "def on_tick(ctx, tick, more=2):\n    a = ctx; b = more\n    return a, b",
]
READING = [
    "def on_tick(ctx, tick): return tick",
    "def on_tick(ctx, tick): del tick",
    "def on_tick(ctx, tick):\n    a = ctx; b = tick\n    return a, b",
    "def on_tick(ctx, tick): return lambda: tick",
    "def on_tick(ctx, tick): return [tick for _ in (1, 2)]",
    "def on_tick(ctx, tick):\n    if ctx:\n        tick['bot'] = 1",
    "def on_tick(ctx, tick):\n    def inner():\n        nonlocal tick\n        tick = 1\n    inner()",
    "def on_tick(ctx, tick):\n    try:\n        pass\n    finally:\n        print(tick)",
    "async def on_tick(ctx, tick): await tick",
    "def on_tick(*everything): return everything",
    "def on_tick(ctx, tick):\n    match tick:\n        case {'bot': b}: return b",
    "def on_tick(ctx, tick): return f'{tick!r}'",
    "def on_tick(ctx, tick):\n    tick += 1",
]


def made(source: str) -> object:
    """Return what a source calls on_tick."""
    namespace: dict[str, object] = {}
    exec(source, namespace)
    return namespace["on_tick"]


@pytest.mark.parametrize("source", IGNORING)
def test_an_argument_that_nobody_reads(source: str) -> None:
    assert reads_argument(made(source), 1) is False


@pytest.mark.parametrize("source", READING)
def test_an_argument_that_may_be_read(source: str) -> None:
    assert reads_argument(made(source), 1) is True


def test_what_is_no_plain_function_may_read_everything() -> None:
    ignoring = made(IGNORING[0])
    for callable_ in (functools.partial(ignoring), print, type("C", (), {"__call__": ignoring})(), None):
        assert reads_argument(callable_, 1) is True


LINES = ["a = ctx", "b = tick", "a = b", "ctx, b = a, tick", "a, b = b, a", "b = 1"]


@given(st.lists(st.sampled_from(LINES), max_size=8))
def test_it_says_what_the_names_in_the_source_say(lines: list[str]) -> None:
    body = ["a = b = 0", *lines, "return a, b"]
    source = "def on_tick(ctx, tick):\n" + "".join(f"    {line}\n" for line in body)
    assert reads_argument(made(source), 1) == any("tick" in line for line in lines)
