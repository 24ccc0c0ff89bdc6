"""Pools that the tests of this folder share; starting one takes half a second."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

import pytest

from sandbox.pool import Pool
from sandbox.process.limits import Limits

# Wide, so that no load of the machine is taken for a bot's fault; what tests limits gives its own to each request.
ROOMY = Limits(tick_cpu_soft=0.5, tick_cpu_hard=2.0, load_wall=60.0, wall_backstop=60.0)
# `SANDBOX_TUNING=false pytest tests/sandbox` runs this whole folder without tuning.
TUNED = os.environ.get("SANDBOX_TUNING", "true").lower() != "false"


@pytest.fixture(scope="session")
def canary() -> str:
    """The secret of a stand-in server."""
    return f"ARENA-CANARY-{secrets.token_hex(16)}"


@contextlib.contextmanager
def running(
    runtime: str, canary: str, limits: Limits | None = None, *, pages: bool = False, tuned: bool = TUNED
) -> Iterator[Pool]:
    """Run a pool whose server has a secret in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARENA_CANARY", canary)
        pool = Pool(runtime, limits or ROOMY, pages=pages, tuned=tuned)
        try:
            pool.start()
            yield pool
        finally:
            pool.stop()


@pytest.fixture(scope="session")
def bots(canary: str) -> Iterator[Pool]:
    """A pool that runs real bots."""
    with running("arena.runtime.bot:BotRuntime", canary) as pool:
        yield pool


@pytest.fixture(scope="session")
def liars(canary: str) -> Iterator[Pool]:
    """A pool whose guests do whatever a request names."""
    with running("tests.sandbox.guests:Liar", canary) as pool:
        yield pool


@pytest.fixture(scope="session")
def naked(canary: str) -> Iterator[Pool]:
    """A pool that runs bots without any language wall."""
    with running("tests.sandbox.guests:Naked", canary) as pool:
        yield pool
