"""A submission is admitted once, to the season that is open, whatever happens meanwhile; authors take turns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from arena.llm.fake import FakeModelServer, Scripted
from arena.submissions.fair import FairQueue
from tests.arenas import BUYER, PATIENCE, Running, bot_source, running, settings_for, until

ROOT = Path(__file__).resolve().parents[2]


class Writer:
    """A model whose answers wait until the test lets them go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.free = threading.Event()

    def __call__(self, request: dict[str, Any], number: int) -> Scripted:
        self.asked.set()
        assert self.free.wait(PATIENCE)
        words = request["messages"][1]["content"]
        return Scripted(f"```python\n{bot_source(BUYER, name=f'Written {number}', top=f'# {len(words)}')}```\n")


def post(arena: Running, prompt: str = "a bot", author: str = "local") -> str:
    taken = arena.api("POST", "/strategies", json={"prompt": prompt, "author": author})
    assert taken.status_code == 202, taken.text
    return str(taken.json()["id"])


@pytest.mark.system
def test_a_new_season_while_a_bot_is_written_gets_it_once(tmp_path: Path) -> None:
    writer = Writer()
    with FakeModelServer(writer) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m", openai_timeout_seconds=90)
        with running(settings, tmp_path) as arena:
            submission = post(arena)
            assert writer.asked.wait(PATIENCE)
            assert arena.api("POST", "/seasons").status_code in {200, 201}
            writer.free.set()
            done = arena.ended(submission)
            assert done["status"] == "admitted", done["reason"]
            assert len(model.requests) == 1
            assert len(done["attempts"]) == 1
            (item,) = [i for i in arena.get("/leaderboard")["items"] if i["name"] == "Written 0"]
            assert item["bot_id"] == done["bot_id"]
            season = arena.get("/status")["season"]
            assert season["number"] == 2
            seat = arena.seat("Written 0")
            assert seat.entry.season_id == season["id"]


@pytest.mark.system
def test_a_closed_season_takes_nothing_and_the_next_one_does(tmp_path: Path) -> None:
    writer = Writer()
    with FakeModelServer(writer) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m", openai_timeout_seconds=90)
        with running(settings, tmp_path) as arena:
            submission = post(arena)
            assert writer.asked.wait(PATIENCE)
            arena.arena.close_season()
            writer.free.set()
            until(lambda: arena.get(f"/strategies/{submission}")["status"] == "validating", "the answer has come")
            assert not arena.arena.engine.roster.seats()
            assert arena.api("POST", "/seasons").status_code in {200, 201}
            assert arena.ended(submission)["status"] == "admitted"
            assert len(model.requests) == 1


@pytest.mark.system
def test_an_answer_that_was_stored_is_not_asked_for_again(tmp_path: Path) -> None:
    writer = Writer()
    with FakeModelServer(writer) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m", openai_timeout_seconds=90)
        with running(settings, tmp_path) as arena:
            submission = post(arena)
            assert writer.asked.wait(PATIENCE)
            arena.arena.close_season()
            writer.free.set()
            until(lambda: arena.get(f"/strategies/{submission}")["attempts"], "the answer has come")
        with running(settings, tmp_path) as arena:
            done = arena.ended(submission)
            assert (done["status"], len(done["attempts"])) == ("admitted", 1)
        assert len(model.requests) == 1


# Serves as `arena serve` does, and is killed at the moment between a bot's enrolment and its last word.
DIES_AT_ADMISSION = """
import os, signal
from arena.submissions.store import SubmissionStore
from arena.submissions.states import Status
move = SubmissionStore.move
def dying(self, submission_id, status, **more):
    if status is Status.ADMITTED:
        os.kill(os.getpid(), signal.SIGKILL)
    move(self, submission_id, status, **more)
SubmissionStore.move = dying
from arena.cli import main
main()
"""


@pytest.mark.long  # two servers; `test_queue` kills in every other state
def test_a_kill_between_enrolment_and_the_last_word_leaves_one_bot(tmp_path: Path) -> None:
    prompt = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"
    settings = settings_for(tmp_path)
    with running(settings, tmp_path) as arena:
        # No bot may come in, so that the strategy is still under way when the arena stops.
        arena.arena._context.pipeline.leave_season()
        submission = post(arena, prompt)
    environment = {
        **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        "PYTHONPATH": str(ROOT), "PORT": "0", "FEED": "synthetic", "TICK_INTERVAL_SECONDS": "0.1",
        "DB_PATH": settings.db_path, "BOTS_DIR": settings.bots_dir, "MIN_FREE_DISK": "0",
    }  # fmt: skip
    died = subprocess.run(
        [sys.executable, "-c", DIES_AT_ADMISSION, "serve"], cwd=tmp_path, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
    with running(settings, tmp_path) as arena:
        done = arena.ended(submission)
        assert done["status"] == "admitted", done
        items = arena.get("/leaderboard")["items"]
        assert [item["bot_id"] for item in items] == [done["bot_id"]]
        arena.ticks(2)
        assert len(arena.arena.engine.roster.seats()) == 1


@pytest.mark.system
def test_many_submissions_of_one_author_do_not_keep_another_waiting(tmp_path: Path) -> None:
    turns, asked = threading.Semaphore(0), []

    def script(request: dict[str, Any], number: int) -> Scripted:
        asked.append(request["messages"][1]["content"])
        assert turns.acquire(timeout=PATIENCE)
        return Scripted(f"```python\n{bot_source(BUYER, name=f'Written {number}')}```\n")

    with FakeModelServer(script) as model:
        settings = settings_for(
            tmp_path, openai_base_url=model.base_url, openai_model="m", openai_timeout_seconds=90, openai_concurrency=2
        )  # fmt: skip
        with running(settings, tmp_path) as arena:
            for n in range(8):
                post(arena, f"greedy {n}", author="Ann")
            until(lambda: len(asked) == 2, "two are written")
            modest = post(arena, "modest", author="Bob")
            # Where the first of the two is done, the next is not one more of Ann's.
            turns.release()
            until(lambda: len(asked) == 3, "the next is written")
            assert "modest" in asked[2]
            turns.release(8)
            assert arena.ended(modest)["status"] == "admitted"


def test_the_queue_takes_turns_and_keeps_the_order_of_each_author() -> None:
    queue = FairQueue()
    for n in range(3):
        queue.put("Ann", f"a{n}")
    queue.put("Bob", "b0")
    queue.put("Cid", "c0")
    queue.put("Bob", "b1")
    assert [queue.get() for _ in range(6)] == ["a0", "b0", "c0", "a1", "b1", "a2"]
    queue.close()
    assert queue.get() is None
