"""The queue: bounded, fair, a lane per model, cancelled in any state, durable against kill -9, never asked twice."""

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
from arena.submissions.fair import FairQueue, StoppingError
from arena.submissions.states import Status
from tests.arenas import BUYER, PATIENCE, Running, bot_source, running, settings_for, until

ROOT = Path(__file__).resolve().parents[2]


class Writer:
    """A model that answers when the test lets it, and counts who is asked at once."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.lock = threading.Lock()
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}

    def __call__(self, request: dict[str, Any], number: int) -> Scripted:
        model = request["model"]
        with self.lock:
            self.now[model] = self.now.get(model, 0) + 1
            self.most[model] = max(self.most.get(model, 0), self.now[model])
        assert self.free.wait(PATIENCE)
        with self.lock:
            self.now[model] -= 1
        return Scripted(f"```python\n{bot_source(BUYER, name=f'Written {number}', top=f'# {number}')}```\n")


def post(arena: Running, prompt: str = "a bot", **more: Any) -> str:
    taken = arena.api("POST", "/strategies", json={"prompt": prompt, **more})
    assert taken.status_code == 202, taken.text
    return str(taken.json()["id"])


# -- the order


def taken(queue: FairQueue, count: int) -> list[str | None]:
    return [queue.get() for _ in range(count)]


def test_who_has_least_under_way_comes_next() -> None:
    queue = FairQueue()
    for n in range(4):
        queue.put("Ann", f"a{n}")
    assert taken(queue, 3) == ["a0", "a1", "a2"]
    queue.put("Bob", "b0")
    queue.put("Bob", "b1")
    assert queue.get() == "b0"
    for n in range(3):
        queue.done(f"a{n}")
    assert queue.get() == "a3"


def test_a_full_lane_holds_back_its_own_only() -> None:
    queue = FairQueue()
    queue.put("Ann", "slow 0", ("slow", 1))
    queue.put("Ann", "slow 1", ("slow", 1))
    queue.put("Ann", "quick", ("quick", 1))
    assert taken(queue, 2) == ["slow 0", "quick"]
    queue.leave("slow 0")
    assert queue.get() == "slow 1"


def test_who_returns_for_a_repair_goes_before_who_has_not_begun() -> None:
    queue = FairQueue()
    for n in range(3):
        queue.put("Ann", f"a{n}", ("m", 1))
    assert queue.get() == "a0"
    queue.leave("a0")
    assert queue.get() == "a1"
    returned = threading.Thread(target=queue.enter, args=("a0",))
    returned.start()
    until(lambda: queue._returning["m"], "it waits for its place")
    queue.leave("a1")
    returned.join(PATIENCE)
    assert not returned.is_alive()
    got: list[str | None] = []
    other = threading.Thread(target=lambda: got.append(queue.get()))
    other.start()
    assert got == []
    queue.done("a0")
    other.join(PATIENCE)
    assert got == ["a2"]


def test_a_closed_queue_lets_everybody_go() -> None:
    queue = FairQueue()
    queue.put("Ann", "a0", ("m", 1))
    queue.put("Ann", "a1", ("m", 1))
    assert queue.get() == "a0"
    queue.leave("a0")
    assert queue.get() == "a1"
    queue.close()
    assert queue.get() is None
    with pytest.raises(StoppingError):
        queue.enter("a0")


def test_what_is_withdrawn_is_not_given_out() -> None:
    queue = FairQueue()
    queue.put("Ann", "a0")
    queue.put("Ann", "a1")
    assert queue.withdraw("a0")
    assert not queue.withdraw("a0")
    assert queue.get() == "a1"


# -- bounds


@pytest.mark.system
def test_a_full_queue_answers_429_with_the_time_to_wait_and_takes_nothing(tmp_path: Path) -> None:
    writer = Writer()
    with FakeModelServer(writer) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m", max_queue=4)
        with running(settings, tmp_path) as arena:
            ids = [post(arena, author=author) for author in ("Ann", "Ann", "Bob")]
            own = arena.api("POST", "/strategies", json={"prompt": "a bot", "author": "Ann"})
            assert own.status_code == 429
            assert "of Ann are under way" in own.json()["detail"]
            group = arena.api("POST", "/strategies", json={"prompt": "a bot", "author": "Cid", "samples": 2})
            assert group.status_code == 429
            assert int(group.headers["retry-after"]) >= 1
            ids.append(post(arena, author="Cid"))
            full = arena.api("POST", "/strategies", json={"prompt": "a bot", "author": "Dee"})
            assert full.status_code == 429
            assert "no more are taken now" in full.json()["detail"]
            writer.free.set()
            assert [arena.ended(one)["status"] for one in ids] == ["admitted"] * 4
            assert arena.ended(post(arena, author="Dee"))["status"] == "admitted"
            assert len(model.requests) == 5


@pytest.mark.system
def test_a_repeated_request_is_answered_even_where_the_queue_is_full(tmp_path: Path) -> None:
    writer = Writer()
    with FakeModelServer(writer) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m", max_queue=2)
        with running(settings, tmp_path) as arena:
            body, key = {"prompt": "a bot"}, {"idempotency-key": "k"}
            first = arena.api("POST", "/strategies", json=body, headers=key)
            again = arena.api("POST", "/strategies", json=body, headers=key)
            assert (first.status_code, again.status_code) == (202, 202)
            assert first.json()["id"] == again.json()["id"]
            writer.free.set()
            arena.ended(first.json()["id"])


@pytest.mark.system
def test_each_model_is_asked_no_more_at_once_than_it_bears(tmp_path: Path) -> None:
    writer = Writer()
    with FakeModelServer(writer) as model:
        models = {
            "wide": {"model": "w", "base_url": model.base_url, "concurrency": 3},
            "narrow": {"model": "n", "base_url": model.base_url, "concurrency": 1},
        }
        with running(settings_for(tmp_path, models=models), tmp_path) as arena:
            ids = [post(arena, f"{name} {n}", model=name) for n in range(5) for name in ("narrow", "wide")]
            until(lambda: (writer.now.get("w"), writer.now.get("n")) == (3, 1), "both are asked")
            writer.free.set()
            assert [arena.ended(one)["status"] for one in ids] == ["admitted"] * 10
            assert writer.most == {"w": 3, "n": 1}
            assert len(model.requests) == 10


# -- cancelling


@pytest.mark.system
def test_what_is_being_written_is_cancelled_and_its_connection_closed(tmp_path: Path) -> None:
    with FakeModelServer(lambda *_: Scripted("x", hang=60.0)) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m")
        with running(settings, tmp_path) as arena:
            submission = post(arena)
            until(lambda: model.requests, "it is asked")
            answer = arena.api("POST", f"/strategies/{submission}/cancel")
            assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
            until(lambda: model.hung_up == [0], "the model's server sees the end of the connection")
            done = arena.ended(submission)
            assert (done["status"], done["bot_id"]) == ("cancelled", None)
            assert "Cancelled" in done["reason"]
            again = arena.api("POST", f"/strategies/{submission}/cancel")
            assert (again.status_code, again.json()["status"]) == (200, "cancelled")


@pytest.mark.system
def test_what_waits_is_cancelled_and_nobody_is_asked(tmp_path: Path) -> None:
    writer = Writer()
    with FakeModelServer(writer) as model:
        settings = settings_for(
            tmp_path, openai_base_url=model.base_url, openai_model="m", openai_concurrency=1
        )  # fmt: skip
        with running(settings, tmp_path) as arena:
            first, second, third = (post(arena, f"bot {n}") for n in range(3))
            until(lambda: model.requests, "the first is asked")
            assert arena.api("POST", f"/strategies/{second}/cancel").json()["status"] == "cancelled"
            writer.free.set()
            assert [arena.ended(one)["status"] for one in (first, second, third)] == [
                "admitted", "cancelled", "admitted",
            ]  # fmt: skip
            assert len(model.requests) == 2


@pytest.mark.system
def test_what_has_ended_is_not_cancelled(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        done = arena.submit("please whistle")
        answer = arena.api("POST", f"/strategies/{done['id']}/cancel")
        assert answer.status_code == 409
        assert "it is rejected" in answer.json()["detail"]
        assert arena.api("POST", "/strategies/nobody/cancel").status_code == 404


@pytest.mark.system
def test_a_cancelled_one_stays_so_after_a_restart(tmp_path: Path) -> None:
    with FakeModelServer(lambda *_: Scripted("x", hang=60.0)) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m")
        with running(settings, tmp_path) as arena:
            submission = post(arena)
            until(lambda: model.requests, "it is asked")
            arena.api("POST", f"/strategies/{submission}/cancel")
        with running(settings, tmp_path) as arena:
            assert arena.ended(submission)["status"] == "cancelled"
            assert len(model.requests) == 1


# -- durability

# Serves as `arena serve` does, and is killed right after the state that it is told has been written.
DIES_IN_A_STATE = """
import os, signal, sys
from arena.submissions import store
state = os.environ["DIES_IN"]
move, save = store.SubmissionStore.move, store.SubmissionStore.save_attempt
def dying_move(self, submission_id, status, **more):
    move(self, submission_id, status, **more)
    if str(status) == state:
        os.kill(os.getpid(), signal.SIGKILL)
def dying_save(self, attempt):
    save(self, attempt)
    if state == "saved":
        os.kill(os.getpid(), signal.SIGKILL)
store.SubmissionStore.move, store.SubmissionStore.save_attempt = dying_move, dying_save
from arena.cli import main
main()
"""
# Long: each of them starts three servers. The two that are always run are killed before and after the bot is in.
_LONG = [pytest.param(state, marks=pytest.mark.long) for state in ("generating", "validating", "repairing", "testing")]


@pytest.mark.system
@pytest.mark.parametrize("state", ["saved", "admitted", *_LONG])
def test_a_kill_in_any_state_loses_and_doubles_nothing(tmp_path: Path, state: str) -> None:
    def script(request: dict[str, Any], _number: int) -> Scripted:
        if len(request["messages"]) == 2:
            return Scripted(f"```python\nimport os\n{bot_source('os.getcwd()', name='Once')}```\n")
        return Scripted(f"```python\n{bot_source(BUYER, name='Once')}```\n")

    with FakeModelServer(script) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m")
        with running(settings, tmp_path) as arena:
            # Nothing may be taken up yet.
            arena.arena._context.pipeline._queue.close()
            submission = post(arena)
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
            "PYTHONPATH": str(ROOT), "PORT": "0", "FEED": "synthetic", "TICK_INTERVAL_SECONDS": "0.1",
            "DB_PATH": settings.db_path, "BOTS_DIR": settings.bots_dir, "MIN_FREE_DISK": "0", "DIES_IN": state,
            "OPENAI_BASE_URL": model.base_url, "OPENAI_MODEL": "m",
        }  # fmt: skip
        died = subprocess.run(
            [sys.executable, "-c", DIES_IN_A_STATE, "serve"], cwd=tmp_path, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
        with running(settings, tmp_path) as arena:
            done = arena.ended(submission)
            assert done["status"] == "admitted", done
            assert [one["kind"] for one in done["attempts"]] == ["first", "repair"]
            # No answer that was stored is asked for again.
            assert len(model.requests) == 2
            arena.ticks(2)
            assert len(arena.arena.engine.roster.seats()) == 1


@pytest.mark.system
def test_a_fault_of_ours_is_tried_again_and_told_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from arena.submissions.intake import Intake

    examine, left = Intake.examine, [1]

    def failing(self: Intake, *args: Any, **more: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise RuntimeError("a disk that stumbles")
        return examine(self, *args, **more)

    monkeypatch.setattr(Intake, "examine", failing)
    writer = Writer()
    writer.free.set()
    with FakeModelServer(writer) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m")
        with running(settings, tmp_path) as arena:
            assert arena.ended(post(arena))["status"] == "admitted"
            assert len(model.requests) == 1
            left[0] = 99
            done = arena.ended(post(arena))
            assert done["status"] == "failed"
            assert "a disk that stumbles" in done["reason"]
            assert left[0] == 96
            assert len(model.requests) == 2


def test_every_open_state_can_be_taken_up_again() -> None:
    from arena.submissions.states import FINAL, MOVES

    for status in set(Status) - FINAL - {Status.QUEUED}:
        assert Status.QUEUED in MOVES[status]
