"""A fake of Binance's public archive on 127.0.0.1: files, checksums, range requests, and faults.

    with FakeArchiveSite() as site:
        site.put("data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-2025-01-01.zip", content)
        Downloader(folder, base_url=site.url)

Each fault a downloader must survive is one method.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


def zipped(name: str, text: str) -> bytes:
    """Return a zip file as the site has them: one CSV file of the archive's own name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name.removesuffix(".zip") + ".csv", text)
    return buffer.getvalue()


class FakeArchiveSite:
    """The site; use it as a context manager. `requests` holds paths and `Range` headers as they came."""

    def __init__(self, *, ranges: bool = True) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self._files: dict[str, bytes] = {}
        self._cuts: list[int] = []
        self._refusals: list[tuple[int, str | None]] = []
        self._ranges = ranges
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                # A client that leaves is no fault of the site's, which would print a traceback.
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    site.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The `base_url` for a downloader."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def put(self, path: str, content: bytes, *, checksum: str | None = None) -> None:
        """Offer a file and its checksum, which may be a wrong one."""
        name = path.rpartition("/")[2]
        stated = checksum or hashlib.sha256(content).hexdigest()
        self._files[f"/{path}"] = content
        self._files[f"/{path}.CHECKSUM"] = f"{stated}  {name}\n".encode()

    def cut(self, *after: int) -> None:
        """Drop the connections of the next answers after so many bytes of a file."""
        self._cuts += after

    def refuse(self, status: int, retry_after: str | None = None, *, times: int = 1) -> None:
        """Answer the next requests with an HTTP error."""
        self._refusals += [(status, retry_after)] * times

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, with the next fault if one is set."""
        wanted = handler.headers.get("Range") if self._ranges else None
        self.requests.append((handler.path, handler.headers.get("Range")))
        content = self._files.get(handler.path)
        if self._refusals:
            status, retry_after = self._refusals.pop(0)
            _send(handler, status, b"", {} if retry_after is None else {"Retry-After": retry_after})
        elif content is None:
            _send(handler, 404, b"<Error><Code>NoSuchKey</Code></Error>", {})
        elif wanted is None:
            self._send_file(handler, 200, content, {"Accept-Ranges": "bytes"})
        else:
            self._send_part(handler, content, int(re.sub(r"\D", "", wanted)))

    def _send_part(self, handler: BaseHTTPRequestHandler, content: bytes, begin: int) -> None:
        if begin >= len(content):
            _send(handler, 416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        span = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._send_file(handler, 206, content[begin:], {"Content-Range": span})

    def _send_file(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        cut = self._cuts.pop(0) if self._cuts and not handler.path.endswith(".CHECKSUM") else len(body)
        _send(handler, status, body, headers, cut)
        if cut < len(body):
            handler.close_connection = True
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body[:cut])
