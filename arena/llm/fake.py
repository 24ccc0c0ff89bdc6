"""A loopback server that speaks the chat completions protocol from a script; for tests and demos.

`python -m arena.llm.fake FILE...` answers each request with the next file's text.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer: a status and a body; a str body becomes the text of a completion.

    `hang` is seconds before anything comes, `drip` seconds between two bytes of the body and `head_drip` between
    two bytes of the headers; after `cut` bytes of the body the connection is reset.
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


Script = Callable[[dict[str, Any], int], Scripted]


def in_order(answers: Sequence[Scripted]) -> Script:
    """Return a script that gives the answers one after the other, the last one for ever."""

    def script(_request: dict[str, Any], number: int) -> Scripted:
        return answers[min(number, len(answers) - 1)]

    return script


class FakeModelServer:
    """The server; `requests`, `headers` and `paths` hold what it was asked."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
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
                answer = outer.answer(request, dict(self.headers))
                outer.stopping.wait(answer.hang)
                outer.paths.append(self.path)
                with contextlib.suppress(ConnectionError):
                    _send(self, answer, outer.stopping)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """Return what to set as OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def answer(self, request: dict[str, Any], headers: dict[str, str]) -> Scripted:
        """Return the script's answer to a request."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            self.headers.append(headers)
        answer = self.script(request, number)
        if isinstance(answer.body, str) and answer.content_type == "application/json":
            return replace(answer, body=completion(request, answer))
        return answer

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
        "usage": {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300},
    }  # fmt: skip


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

    texts = [Scripted(Path(name).read_text("utf-8")) for name in sys.argv[1:]]
    with FakeModelServer(in_order(texts)) as server:
        print(f"OPENAI_BASE_URL={server.base_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
