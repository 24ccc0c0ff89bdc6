"""Budgets: reached, the next strategy is refused with the time, and nothing is done by halves."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from arena.config import load
from arena.errors import SettingsError
from arena.llm.fake import FakeModelServer, Scripted
from tests.arenas import BUYER, PATIENCE, Running, bot_source, running, settings_for, until


def writer(request: dict[str, Any], number: int) -> Scripted:
    """Answer with a bot of its own; 100 tokens in and 200 out."""
    del request
    return Scripted(f"```python\n{bot_source(BUYER, name=f'Written {number}', top=f'# {number}')}```\n")


def sent(arena: Running, **more: Any) -> Any:
    return arena.api("POST", "/strategies", json={"prompt": "a bot", **more})


def admitted(arena: Running, **more: Any) -> dict[str, Any]:
    done = arena.submit("a bot", **more)
    assert done["status"] == "admitted", done["reason"]
    return done


@pytest.mark.system
def test_a_budget_of_the_day_that_is_used_up_refuses_with_its_reset(tmp_path: Path) -> None:
    with FakeModelServer(writer) as model:
        settings = settings_for(
            tmp_path, openai_base_url=model.base_url, openai_model="m", budget_day_tokens=600
        )  # fmt: skip
        with running(settings, tmp_path) as arena:
            for author in ("Ann", "Bob"):
                admitted(arena, author=author)
            refused = sent(arena, author="Cid")
            assert refused.status_code == 429
            problem = refused.json()
            assert "600 tokens a day is used up" in problem["detail"]
            assert "00:00 UTC" in problem["detail"]
            assert problem["resets_at"] % 86_400 == 0
            left = problem["resets_at"] - time.time()
            assert abs(int(refused.headers["retry-after"]) - left) < 60
            assert len(model.requests) == 2
            (budget,) = arena.get("/models")["budgets"]
            assert (budget["scope"], budget["used"], budget["left"]) == ("day", 600, 0)
            # The template costs nothing.
            assert sent(arena, model="template").status_code == 202
        with running(settings, tmp_path) as arena:
            assert sent(arena).status_code == 429


@pytest.mark.system
def test_a_budget_of_an_author_leaves_others_alone(tmp_path: Path) -> None:
    with FakeModelServer(writer) as model:
        settings = settings_for(
            tmp_path, openai_base_url=model.base_url, openai_model="m", budget_author_tokens=300
        )  # fmt: skip
        with running(settings, tmp_path) as arena:
            admitted(arena, author="Ann")
            assert sent(arena, author="Ann").status_code == 429
            admitted(arena, author="Bob")
            (shown,) = arena.get("/models", params={"author": "Ann"})["budgets"]
            assert (shown["scope"], shown["left"]) == ("author", 0)
            assert arena.get("/models")["budgets"][0]["left"] is None


@pytest.mark.system
def test_what_is_under_way_counts_before_its_answer(tmp_path: Path) -> None:
    free = threading.Event()

    def waiting(request: dict[str, Any], number: int) -> Scripted:
        assert free.wait(PATIENCE)
        return writer(request, number)

    with FakeModelServer(waiting) as model:
        settings = settings_for(
            tmp_path, openai_base_url=model.base_url, openai_model="m", budget_day_tokens=900
        )  # fmt: skip
        with running(settings, tmp_path) as arena:
            first = sent(arena).json()["id"]
            until(lambda: model.requests, "it is asked")
            refused = sent(arena)
            assert refused.status_code == 429
            assert "under way" in refused.json()["detail"]
            free.set()
            assert arena.ended(first)["status"] == "admitted"
            admitted(arena)


@pytest.mark.system
def test_a_submission_beyond_its_budget_is_not_repaired(tmp_path: Path) -> None:
    def bad(_request: dict[str, Any], number: int) -> Scripted:
        return Scripted(f"```python\nimport os\nx = {number}\n{bot_source('os.getcwd()')}```\n")

    with FakeModelServer(bad) as model:
        settings = settings_for(
            tmp_path, openai_base_url=model.base_url, openai_model="m", budget_submission_tokens=600
        )  # fmt: skip
        with running(settings, tmp_path) as arena:
            done = arena.submit("a bot")
            assert done["status"] == "rejected"
            assert len(done["attempts"]) == len(model.requests) == 2
            assert done["reason"].startswith("Line 1: ")
            assert "budget of 600 tokens is used up" in done["reason"]


@pytest.mark.system
def test_dollars_are_counted_by_the_model_s_prices(tmp_path: Path) -> None:
    with FakeModelServer(writer) as model:
        models = {"dear": {"model": "d", "base_url": model.base_url, "price_in": 2_000, "price_out": 4_000}}
        settings = settings_for(tmp_path, models=models, budget_day_usd=1.5)
        with running(settings, tmp_path) as arena:
            done = admitted(arena)
            assert done["attempts"][0]["cost_usd"] == pytest.approx(100 * 0.002 + 200 * 0.004)
            admitted(arena)
            refused = sent(arena)
            assert refused.status_code == 429
            assert "1.5 US dollars" in refused.json()["detail"]
            assert arena.get("/models")["budgets"][0]["used"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    "more",
    [
        {"models": {"m": {"model": "m", "base_url": "http://x/v1"}}},
        {"openai_model": "m"},
        {"openai_base_url": "http://x/v1"},
    ],
)
def test_a_budget_in_dollars_needs_prices(
    more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="price"):
        load(budget_day_usd=1.0, **more)
