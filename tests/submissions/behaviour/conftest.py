"""A pool, and a way to examine a source as the arena does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from arena.llm.fake import FakeModelServer, Scripted, in_order
from arena.submissions.behaviour.claims import Claims
from arena.submissions.behaviour.suite import Facts, Report, Subject, examine
from sandbox.pool import Pool
from tests.arenas import Running, running, settings_for

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


class Studio:
    """An arena whose model answers as each test tells it to."""

    def __init__(self, arena: Running, model: FakeModelServer) -> None:
        self.arena = arena
        self.model = model

    def script(self, *sources: str) -> None:
        self.model.requests.clear()
        self.model.script = in_order([Scripted(f"```python\n{source}```\n") for source in sources])

    def submit(self, prompt: str, *sources: str, **more: Any) -> dict[str, Any]:
        self.script(*sources)
        return self.arena.submit(prompt, **more)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("behaviour")
    with FakeModelServer(in_order([Scripted("x")])) as model:
        settings = settings_for(folder, openai_base_url=model.base_url, openai_model="writer-1", max_repairs=2)
        with running(settings, folder) as arena:
            yield Studio(arena, model)
