"""A loopback server that speaks the chat completions protocol from a script; for tests and demos.

`python -m arena.llm.fake FILE...` answers each request with the next file's text.
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


_USAGE = {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300}


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer: a status and a body; a str body becomes the text of a completion.

    `hang` is seconds before anything comes, `drip` seconds between two bytes of the body and `head_drip` between
    two bytes of the headers; after `cut` bytes of the body the connection is reset. With a `pace` a text is streamed
    to those who ask for it, so many seconds between two pieces.
    """

    body: str | bytes | dict[str, Any] | list[Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    finish_reason: str = "stop"
    content_type: str = "application/json"
    hang: float = 0.0
    drip: float = 0.0
    head_drip: float = 0.0
    cut: int | None = None
    pace: float | None = None


Script = Callable[[dict[str, Any], int], Scripted]


def in_order(answers: Sequence[Scripted]) -> Script:
    """Return a script that gives the answers one after the other, the last one for ever."""

    def script(_request: dict[str, Any], number: int) -> Scripted:
        return answers[min(number, len(answers) - 1)]

    return script


class FakeModelServer:
    """The server; `requests`, `headers` and `paths` hold what it was asked, `hung_up` who did not wait for the end.

    `hung_up` has the numbers of requests whose client closed the connection before the answer was complete.
    """

    def __init__(self, script: Script, port: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.hung_up: list[int] = []
        self.stopping = threading.Event()
        self.script = script
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                listing = {"object": "list", "data": [{"id": "fake", "object": "model"}]}
                _send(self, Scripted(listing), outer.stopping)

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                request = json.loads(self.rfile.read(length) or b"{}")
                number, answer = outer.answer(request, dict(self.headers))
                outer.paths.append(self.path)
                try:
                    _wait(self, answer.hang, outer.stopping)
                    if answer.pace is not None and request.get("stream"):
                        _stream(self, request, answer, outer.stopping)
                    else:
                        _send(self, answer, outer.stopping)
                except ConnectionError:
                    outer.hung_up.append(number)
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """Return what to set as OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def answer(self, request: dict[str, Any], headers: dict[str, str]) -> tuple[int, Scripted]:
        """Return a request's number and the script's answer to it."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            self.headers.append(headers)
        answer = self.script(request, number)
        streamed = answer.pace is not None and request.get("stream")
        if isinstance(answer.body, str) and answer.content_type == "application/json" and not streamed:
            return number, replace(answer, body=completion(request, answer))
        return number, answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def completion(request: dict[str, Any], answer: Scripted) -> dict[str, Any]:
    """Return a sound answer with a script's text."""
    message = {"role": "assistant", "content": answer.body}
    return {
        "id": "chatcmpl-fake", "object": "chat.completion", "created": 1,
        "model": request.get("model", "fake"),
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason}],
        "usage": _USAGE,
    }  # fmt: skip


def _wait(handler: BaseHTTPRequestHandler, seconds: float, stopping: threading.Event) -> None:
    """Wait, or raise ConnectionError as soon as the client has closed its end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not stopping.is_set():
        readable, _, _ = select.select([handler.connection], [], [], min(left, 0.02))
        if readable and not handler.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError


def _stream(
    handler: BaseHTTPRequestHandler, request: dict[str, Any], answer: Scripted, stopping: threading.Event
) -> None:
    """Send a text as events, as OpenAI does."""
    text = str(answer.body)
    handler.send_response(answer.status)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("connection", "close")
    handler.end_headers()
    handler.close_connection = True
    shown = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": request.get("model")}
    deltas: list[dict[str, Any]] = [{"delta": {"content": text[n : n + 16]}} for n in range(0, len(text), 16)]
    for choice in [*deltas, {"delta": {}, "finish_reason": answer.finish_reason}]:
        _event(handler, {**shown, "choices": [{"index": 0, **choice}]})
        _wait(handler, answer.pace or 0.0, stopping)
    if request.get("stream_options", {}).get("include_usage"):
        _event(handler, {**shown, "choices": [], "usage": _USAGE})
    handler.wfile.write(b"data: [DONE]\n\n")


def _event(handler: BaseHTTPRequestHandler, data: dict[str, Any]) -> None:
    handler.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
    handler.wfile.flush()


def _send(handler: BaseHTTPRequestHandler, answer: Scripted, stopping: threading.Event) -> None:
    body = answer.body
    data = body if isinstance(body, bytes) else (
        body.encode() if isinstance(body, str) else json.dumps(body).encode()
    )  # fmt: skip
    if answer.head_drip:
        head = f"HTTP/1.1 {answer.status} OK\r\ncontent-length: {len(data)}\r\n\r\n".encode()
        _drip(handler, head, answer.head_drip, stopping)
    else:
        handler.send_response(answer.status)
        handler.send_header("content-type", answer.content_type)
        if "content-length" not in answer.headers:
            handler.send_header("content-length", str(len(data)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
    if answer.cut is not None:
        handler.wfile.write(data[: answer.cut])
        handler.wfile.flush()
        handler.close_connection = True
    elif answer.drip:
        _drip(handler, data, answer.drip, stopping)
    else:
        handler.wfile.write(data)
    if len(data) < int(answer.headers.get("content-length", "0")):
        handler.close_connection = True


def _drip(handler: BaseHTTPRequestHandler, data: bytes, seconds: float, stopping: threading.Event) -> None:
    for place in range(len(data)):
        handler.wfile.write(data[place : place + 1])
        handler.wfile.flush()
        if stopping.wait(seconds):
            return


def main() -> None:
    """Serve the files named on the command line until interrupted."""
    import sys
    from pathlib import Path

    texts = [Scripted(Path(name).read_text("utf-8"), pace=0.02) for name in sys.argv[1:]]
    with FakeModelServer(in_order(texts)) as server:
        print(f"OPENAI_BASE_URL={server.base_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
