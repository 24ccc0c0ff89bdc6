"""An HTTP client that waits only so long for a whole answer and takes only so much of it.

A read time-out starts anew with every byte, so a server that drips could hold a worker for ever.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Iterator

import httpx2
import openai

MAX_ANSWER = 8 * 1024 * 1024


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, seconds: float) -> None:
        self._stream = stream
        self._end = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if time.monotonic() > self._end:
                raise httpx2.ReadTimeout("the answer takes too long")
            if size > MAX_ANSWER:
                raise httpx2.ReadError(f"the answer is larger than {MAX_ANSWER >> 20} MiB")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def bounded_client(seconds: float) -> httpx2.Client:
    """Return a client for the openai package whose answers end within so many seconds."""

    def bound(response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Bounded(response.stream, seconds)

    return openai.DefaultHttpxClient(timeout=seconds, event_hooks={"response": [bound]}, verify=_trusted_roots())


@functools.lru_cache(maxsize=1)
def _trusted_roots() -> ssl.SSLContext:
    # Reading the certificates takes a tenth of a second, each time.
    return httpx2.create_ssl_context()
