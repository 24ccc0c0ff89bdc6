"""Pools that the tests of this folder share; starting one takes half a second."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from sandbox.pool import Pool


@pytest.fixture(scope="session")
def bots() -> Iterator[Pool]:
    """A pool that runs real bots."""
    pool = Pool("arena.runtime.bot:BotRuntime")
    pool.start()
    yield pool
    pool.stop()


@pytest.fixture(scope="session")
def canary() -> str:
    """The secret of a stand-in server."""
    return f"ARENA-CANARY-{secrets.token_hex(16)}"


@pytest.fixture(scope="session")
def liars(canary: str) -> Iterator[Pool]:
    """A pool whose guests do whatever a request names; its server has a secret."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARENA_CANARY", canary)
        pool = Pool("tests.sandbox.guests:Liar")
        pool.start()
        yield pool
        pool.stop()
