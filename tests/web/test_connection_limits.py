"""Connections: heads, slow and half-open ones, and how many one address may have."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.web.serving import ConnectionLimits
from tests.arenas import PATIENCE, Running, bot_source, running, settings_for, until

KIB = 1024
HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /api/v1/bots/check HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@contextlib.contextmanager
def line_to(arena: Running, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    port = int(arena.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0)) as line:
        yield line


def rest_of(line: socket.socket) -> bytes:
    """Return what comes until the server hangs up."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := line.recv(65_536):
            found += data
    return found


def send_all_that_is_taken(line: socket.socket, data: bytes, times: int) -> int:
    """Send something again and again until the server hangs up; return how many bytes it took."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        for _ in range(times):
            line.sendall(data)
            sent += len(data)
    return sent


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An arena that waits only a moment for slow clients."""
    folder = tmp_path_factory.mktemp("strict")
    limits = ConnectionLimits(head_seconds=2.0, body_seconds=2.0, unread_seconds=2.0)
    with running(settings_for(folder), folder, limits) as arena:
        yield arena


@pytest.mark.parametrize(
    "data",
    [HEAD + b"x: " + b"a" * 200_000, b"GET /" + b"a" * 200_000, HEAD + b"x: y\r\n" * 30_000, HEAD + b"x" * 200_000,
     POST + b"transfer-encoding: chunked\r\n\r\n0\r\nx: " + b"a" * 200_000,
     POST + b"transfer-encoding: chunked\r\n\r\n1;" + b"a" * 200_000],
    ids=["one field", "the address", "many fields", "a name", "trailers", "chunk extensions"],
)  # fmt: skip
def test_a_head_is_bounded(live: Running, data: bytes) -> None:
    with line_to(live) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(data)
        answer = rest_of(line)
        assert answer == b"" or b" 431 " in answer[:20] or b" 400 " in answer[:20]
    with line_to(live) as line:
        taken = send_all_that_is_taken(line, data, 500)
        assert taken < 500 * len(data)


def test_a_head_that_is_too_large_is_told_so(live: Running) -> None:
    with line_to(live) as line:
        line.sendall(HEAD + b"x: " + b"a" * 60 * KIB)
        answer = rest_of(line)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer
    assert b"32 KiB" in answer


def test_a_head_of_many_fields_is_told_so(live: Running) -> None:
    with line_to(live) as line:
        line.sendall(HEAD + b"x: y\r\n" * 101 + b"\r\n")
        assert b"100 fields" in rest_of(line)


def test_a_head_of_a_usual_size_is_answered_again_and_again_on_one_connection(live: Running) -> None:
    with line_to(live) as line:
        for _ in range(5):
            line.sendall(HEAD + b"cookie: " + b"a" * 8 * KIB + b"\r\n\r\n")
            assert b" 200 " in line.recv(4096)[:20]


def test_requests_in_one_piece_are_all_answered(live: Running) -> None:
    with line_to(live) as line:
        line.sendall((HEAD + b"\r\n") * 200 + HEAD + b"connection: close\r\n\r\n")
        assert rest_of(line).count(b"HTTP/1.1 200 ") == 201


UNFINISHED = {
    "nothing": b"", "a letter": b"G", "a line end": b"\r\n", "half a head": HEAD, "a field": HEAD + b"x: y\r\n",
    "no body": POST + b"content-length: 10\r\n\r\n", "half a body": POST + b"content-length: 10\r\n\r\nabc",
    "half a chunk": POST + b"transfer-encoding: chunked\r\n\r\n5\r\nab",
}  # fmt: skip


@pytest.mark.system
def test_requests_that_are_not_finished_are_not_waited_for(strict: Running) -> None:
    # All at once: a wait of 2 s for each would be long.
    with contextlib.ExitStack() as stack:
        lines = {name: stack.enter_context(line_to(strict)) for name in UNFINISHED}
        for name, line in lines.items():
            with contextlib.suppress(ConnectionError):
                line.sendall(UNFINISHED[name])
        for name, line in lines.items():
            answer = rest_of(line)
            assert answer == b"" or answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")), name


@pytest.mark.system
def test_a_second_request_that_is_not_finished_is_not_waited_for(strict: Running) -> None:
    with line_to(strict) as line:
        line.sendall(HEAD + b"\r\n")
        assert b" 200 " in line.recv(4096)[:20]
        line.sendall(b"\r\n")
        assert b" 408 " in rest_of(line)[:20]


def test_a_client_that_drips_a_head_is_not_waited_for(strict: Running) -> None:
    with line_to(strict) as line:
        line.sendall(HEAD)
        line.settimeout(0.02)
        for _ in range(1000):
            try:
                line.sendall(b"a")
                line.recv(1)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            raise AssertionError("a slow head is waited for without end")


@pytest.mark.system
def test_an_answer_that_is_not_read_is_given_up(strict: Running) -> None:
    seat = strict.admitted(bot_source("for _ in range(60):\n    ctx.log('x' * 400)", name="Writer"))
    until(lambda: len(strict.get(f"/bots/{seat.id}/logs?limit=1000")["items"]) >= 900, "a long log")
    with line_to(strict) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = f"GET /api/v1/bots/{seat.id}/logs?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        line.sendall(request * 40)
        server = strict.server.server_state.connections
        mine = line.getsockname()
        until(lambda: not [one for one in server if one.client == mine], "the server has hung up")


@pytest.mark.system
def test_one_address_has_only_so_many_connections(tmp_path: Path) -> None:
    # It waits long for a head: on a slow machine none of those that are let in must be sent away for that.
    limits = ConnectionLimits(head_seconds=PATIENCE, per_address=8, connections=20)
    with running(settings_for(tmp_path), tmp_path, limits) as arena, contextlib.ExitStack() as stack:
        lines = [stack.enter_context(line_to(arena, "127.0.0.9")) for _ in range(20)]
        for line in lines:
            with contextlib.suppress(ConnectionError):
                line.sendall(HEAD + b"\r\n")
        answers = []
        for line in lines:
            with contextlib.suppress(ConnectionError):
                answers.append(line.recv(4096))
        answered = [answer for answer in answers if answer.startswith(b"HTTP/1.1 200 ")]
        refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 429 ")]
        assert len(answered) == 8
        assert refused
        assert b"retry-after" in refused[0]
        # Another address has its own.
        with line_to(arena, "127.0.0.8") as line:
            line.sendall(HEAD + b"\r\n")
            assert line.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_request_is_a_problem(live: Running) -> None:
    with line_to(live) as line:
        line.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = rest_of(line)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


@pytest.mark.system
def test_the_clock_goes_on_beside_them(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena, contextlib.ExitStack() as stack:
        lines = [stack.enter_context(line_to(arena)) for _ in range(100)]
        for line in lines:
            line.sendall(HEAD)
        arena.ticks(5)
