"""A pool, and a way to examine a source as the arena does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from arena.submissions.behaviour.claims import Claims
from arena.submissions.behaviour.suite import Facts, Report, Subject, examine
from sandbox.pool import Pool

FACTS = Facts({"BTCUSDT": 60_000.0, "ETHUSDT": 3_000.0})
Examine = Callable[..., Report]


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    made = Pool("arena.runtime.bot:BotRuntime")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def examined(pool: Pool) -> Examine:
    """Examine a source with claims and words."""

    def run(source: str, claims: Claims | None = None, words: str = "") -> Report:
        checked = pool.check(source.encode())
        assert checked.accepted, checked.violations
        subject = Subject(source, checked.facts["name"], tuple(checked.facts["symbols"]), checked.program)
        return examine(pool, subject, claims or Claims(), words, FACTS)

    return run
