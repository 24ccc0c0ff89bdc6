"""A worker that has fully escaped still reaches nothing but its own two pipes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.pool import Pool
from sandbox.process import kernel
from sandbox.talk.gather import gather
from sandbox.talk.protocol import HEADER, Kind, encode, next_number
from sandbox.talk.request import WorkerReply, WorkerRequest, collect_late_reply
from sandbox.talk.verdict import Verdict
from sandbox.talk.worker import Worker
from tests.arenas import until
from tests.sandbox.market import HARD, SOFT, WALL

GUESTS = Path(__file__).with_name("guests.py")
SOURCE = b"x = 1\n"
REPLY, STARTED, LOCKED = int(Kind.REPLY), int(Kind.STARTED), int(Kind.LOCKED)


@pytest.fixture
def liar(liars: Pool) -> Worker:
    worker = one_of(liars)
    yield worker
    worker.close()


def one_of(liars: Pool) -> Worker:
    worker, ask = liars.spawn(liars.check(SOURCE).program, b"")
    assert gather([ask])[0].payload == b"ready"
    return worker


def ask(worker: Worker, *what: object, hard: float = HARD, wall: float = WALL) -> WorkerReply:
    payload = json.dumps(what).encode()
    return gather([WorkerRequest(worker, Kind.CALL, payload, SOFT, hard, wall)])[0]


def coming() -> int:
    """Return the number that the next request will have, which a hostile worker can guess."""
    return next_number() + 1


def test_an_honest_guest_is_heard(liar: Worker) -> None:
    assert ask(liar, "echo", "hello").payload == b'"hello"'


def test_an_output_flood_is_ended(liar: Worker) -> None:
    assert ask(liar, "flood").verdict is Verdict.OUTPUT_LIMIT


def test_a_reply_beyond_the_frame_limit_is_ended(liar: Worker, liars: Pool) -> None:
    assert ask(liar, "big", liars.limits.frame_bytes + 1).verdict is Verdict.OUTPUT_LIMIT


def test_a_reply_of_exactly_the_frame_limit_passes(liar: Worker, liars: Pool) -> None:
    payload = ask(liar, "big", liars.limits.frame_bytes).payload
    assert payload == b"x" * liars.limits.frame_bytes


@pytest.mark.parametrize("times", [1, 2, 3])
def test_garbage_is_a_broken_protocol(liar: Worker, times: int) -> None:
    garbage = HEADER.pack(3, 99, 2) * times
    assert ask(liar, "raw", garbage.hex()).verdict is Verdict.PROTOCOL_ERROR


def test_half_a_frame_is_waited_for_only_so_long(liar: Worker) -> None:
    half = encode(Kind.REPLY, coming(), b"whole")[:-2]
    assert ask(liar, "raw", half.hex(), wall=0.2).verdict is Verdict.TIMEOUT


@pytest.mark.parametrize("off", [-1, 1, 98, 2**31])
def test_an_answer_to_a_question_not_asked_is_a_broken_protocol(liar: Worker, off: int) -> None:
    assert ask(liar, "forge", REPLY, coming() + off, "forged", 1).verdict is Verdict.PROTOCOL_ERROR


@pytest.mark.parametrize("kind", [STARTED, int(Kind.CHECKED), int(Kind.CALL), LOCKED])
def test_an_answer_of_another_kind_is_a_broken_protocol(liar: Worker, kind: int) -> None:
    assert ask(liar, "forge", kind, coming(), "{}", 1).verdict is Verdict.PROTOCOL_ERROR


def test_a_second_confinement_report_is_a_broken_protocol(liar: Worker) -> None:
    before = dict(liar.confinement)
    answer = ask(liar, "forge", LOCKED, 0, '{"level": "Z"}', 1)
    assert answer.verdict is Verdict.PROTOCOL_ERROR
    assert liar.confinement == before


def test_a_reply_sent_twice_does_not_answer_the_next_question(liar: Worker) -> None:
    assert ask(liar, "forge", REPLY, coming(), "first", 2).payload == b"first"
    assert ask(liar, "echo", "second", wall=0.3).payload is None


def test_old_answers_sent_for_ever_do_not_hold_the_server(liar: Worker) -> None:
    answer = ask(liar, "forge_forever", 1)
    assert answer.verdict in {Verdict.PROTOCOL_ERROR, Verdict.TIMEOUT}


def test_a_late_answer_is_dropped_by_its_number(liar: Worker) -> None:
    # Sent without gathering: the answer, whenever it comes, belongs to a question that is no longer asked.
    liar.ask(Kind.CALL, json.dumps(["echo", "late"]).encode(), 1.0)
    assert ask(liar, "echo", "now").payload == b'"now"'


def test_a_late_worker_is_free_once_its_answer_has_come(liar: Worker) -> None:
    slow = json.dumps(["echo", "late"]).encode()
    request = WorkerRequest(liar, Kind.CALL, slow, 1.0, HARD, WALL)
    gather([request], deadline=0.0)
    settled = until(lambda: collect_late_reply(request), "the late answer has come")
    assert settled is True


def test_a_worker_that_stops_reading_is_ended(liar: Worker) -> None:
    stall = json.dumps(["stall"]).encode()
    gather([WorkerRequest(liar, Kind.CALL, stall, SOFT, HARD, WALL)], deadline=0.05)
    tick = json.dumps(["echo", "x" * (1 << 20)]).encode()
    answers = [gather([WorkerRequest(liar, Kind.CALL, tick, SOFT, HARD, WALL)], deadline=0.01)[0] for _ in range(12)]
    assert answers[0].verdict is Verdict.LATE
    assert answers[-1].verdict is Verdict.PROTOCOL_ERROR


def test_a_worker_that_sleeps_is_ended_by_the_wall_clock(liar: Worker) -> None:
    assert ask(liar, "stall", wall=0.2).verdict is Verdict.TIMEOUT


@pytest.mark.parametrize("code", [0, 1, 70])
def test_leaving_the_process_is_an_exit_whatever_the_code(liar: Worker, code: int) -> None:
    answer = ask(liar, "leave", code)
    assert answer.verdict is Verdict.EXITED
    assert answer.verdict.strikes


def test_a_worker_cannot_close_its_pipe(liar: Worker) -> None:
    assert ask(liar, "close_pipe").payload == b'"1"'


@pytest.mark.parametrize(("what", "verdict"), [
    (["abort"], Verdict.SECURITY),
    (["peek", 8], Verdict.CRASHED),
    (["spin"], Verdict.TIMEOUT),
])  # fmt: skip
def test_a_violent_end_is_read_from_the_kernel(liars: Pool, what: list[object], verdict: Verdict) -> None:
    # Before a bot is loaded the tripwire sleeps, so that it is not what ends the worker.
    worker, _ = liars.spawn(b"", b"")
    answer = ask(worker, *what)
    worker.close()
    assert answer.verdict is verdict


def test_touching_foreign_memory_trips_the_wire_once_a_bot_is_loaded(liar: Worker) -> None:
    assert ask(liar, "peek", 8).verdict is Verdict.SECURITY


def test_a_forbidden_system_call_is_a_security_event(liars: Pool) -> None:
    worker, _ = liars.spawn(b"", b"")
    fork = {"x86_64": 57, "aarch64": 220}[kernel.machine()]
    answer = ask(worker, "syscall", fork)
    worker.close()
    assert answer.verdict is Verdict.SECURITY
    assert answer.verdict.quarantines


@pytest.mark.parametrize(
    "head",
    [
        b'{"violations": [{"line": Infinity, "column": 1, "rule": "x", "message": "x", "hint": ""}]',
        b'{"violations": [{"line": 1}], "facts": {}}',
        b'{"violations": [1, 2], "facts": {}}',
        b'{"violations": {"0": 1}, "facts": {}}',
        b'{"violations": [], "facts": 7}',
        b'{"violations": [], "facts": [1, 2]}',
        b'{"violations": null, "facts": {}}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"null",
        b"",
    ],
    ids=range(11),
)
def test_a_checker_that_answers_nonsense_is_a_refusal(liars: Pool, head: bytes) -> None:
    head = head + b', "facts": {}}' if head.endswith(b'""}]') else head
    frame = encode(Kind.CHECKED, 1, len(head).to_bytes(4, "little") + head)
    # Longer than a source may be, so the bytes are built from the short text of an expression.
    source = f"RAW = {frame[:200].hex()!r} + {frame[200:201].hex()!r} * {max(0, len(frame) - 200)}"
    checked = liars.check(source.encode())
    assert [violation["rule"] for violation in checked.violations] == ["load-limit"]


# -- secrets and siblings -------------------------------------------------------------------------------


def test_the_server_s_secret_is_nowhere_in_a_worker(liars: Pool, canary: str) -> None:
    worker, _ = liars.spawn(b"", b"")
    search = json.dumps(["canaries"]).encode()
    (found,) = gather([WorkerRequest(worker, Kind.CALL, search, 60.0, 60.0, 60.0)])
    names = ask(worker, "environment")
    worker.close()
    assert found.payload == b"0"
    assert "ARENA_CANARY" not in json.loads(names.payload or b"null")
    assert re.fullmatch(r"ARENA-CANARY-[0-9a-f]{32}", canary)


def test_the_search_for_the_secret_would_find_it(canary: str) -> None:
    root = GUESTS.parents[2]
    search = "from tests.sandbox.guests import canaries_in, readable_memory; print(canaries_in(readable_memory()))"
    done = subprocess.run(
        [sys.executable, "-s", "-P", "-c",
         f"import sys; sys.path.insert(0, {str(root)!r}); {search}"],
        env={"ARENA_CANARY": canary, "LANG": "C.UTF-8"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) > 0


def test_two_workers_cannot_look_at_each_other(liars: Pool) -> None:
    one, _ = liars.spawn(b"", b"")
    other, _ = liars.spawn(b"", b"")
    ask(other, "echo", "ready")
    paths = [f"/proc/{other.pid}/{name}" for name in ("mem", "environ", "maps", "fd/0", "fd/1")]
    answer = ask(one, "try_paths", *paths)
    for worker in (one, other):
        worker.close()
    assert set(json.loads(answer.payload or b"null")) == {"Operation not permitted"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look at everyone")
def test_the_server_itself_cannot_look_into_an_undumpable_worker(liar: Worker) -> None:
    with pytest.raises(PermissionError):
        Path(f"/proc/{liar.pid}/environ").read_bytes()
