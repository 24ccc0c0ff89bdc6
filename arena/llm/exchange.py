"""The transport under the model client: a limit on the unpacked answer, a rule for redirects, errors in sentences.

The body is unpacked piece by piece, so that a small answer that unpacks to gigabytes costs no memory.
"""

from __future__ import annotations

import functools
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import httpx2

from arena.core.text import clean_line
from arena.errors import GenerationError

MAX_ANSWER = 8 * 1024 * 1024
_PIECE = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WBITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class BrokenOffError(GenerationError):
    """The connection ended before the answer did."""


class UnreachableError(GenerationError):
    """No connection came about."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Carries a request to a model server; all that goes wrong on the way is a GenerationError or TimeoutError.

    A redirect is followed once and only to the same host, because the prompt and the key go with it.
    """

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(verify=trusted_roots(), follow_redirects=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, whose body is unpacked and checked as it is read."""
        if request.url.scheme not in {"http", "https"} or not request.url.host:
            raise no_address(str(request.url))
        answer = await self._sent(request)
        if answer.status_code in _REDIRECTS:
            await answer.aclose()
            answer = await self._sent(_redirected(request, answer.headers.get("location", "")))
            if answer.status_code in _REDIRECTS:
                await answer.aclose()
                raise GenerationError(
                    "The model server redirects more than once: set OPENAI_BASE_URL to its real address."
                )
        return answer

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        try:
            answer = await self._client.send(request, stream=True)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError):
            raise no_address(str(request.url)) from None
        except httpx2.TransportError as error:
            raise _in_words(error, 0) from None
        headers = {k: v for k, v in answer.headers.items() if k not in {"content-encoding", "content-length"}}
        return httpx2.Response(answer.status_code, headers=headers, stream=_BoundedBody(answer), request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()


class _BoundedBody(httpx2.AsyncByteStream):
    """The body of an answer, unpacked within the limit."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = size = 0
        unpack = _unpacking(self._answer.headers.get("content-encoding", ""))
        try:
            async for piece in self._answer.aiter_raw():
                received += len(piece)
                for part in unpack(piece):
                    size += len(part)
                    if size > MAX_ANSWER:
                        raise GenerationError(
                            f"The model server's answer is larger than {MAX_ANSWER >> 20} MiB when unpacked."
                        )
                    yield part
        except httpx2.TransportError as error:
            raise _in_words(error, received) from None
        except zlib.error:
            raise GenerationError("The model server's answer cannot be unpacked: its compression is broken.") from None

    async def aclose(self) -> None:
        await self._answer.aclose()


def _in_words(error: httpx2.TransportError, received: int) -> Exception:
    """Return what a failure of the connection means; a silence is a TimeoutError, as the deadline's is."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return UnreachableError(f"The model server cannot be reached ({_cause(error)}).")
    if isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError):
        return BrokenOffError(f"The model server's answer broke off after {received} bytes ({_cause(error)}).")
    if isinstance(error, httpx2.TimeoutException):
        return TimeoutError()
    return UnreachableError(f"The model server cannot be reached ({_cause(error)}).")


def _cause(error: BaseException) -> str:
    return clean_line(str(error) or type(error).__name__, 200)


def no_address(url: str) -> GenerationError:
    """Return the error about a base URL that is none; a password in it is not shown."""
    shown = clean_line(re.sub(r"//[^/]*@", "//***@", url), 100)
    return GenerationError(f"OPENAI_BASE_URL is no web address: {shown}.")


def _unpacking(encoding: str) -> Callable[[bytes], Iterable[bytes]]:
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return lambda piece: [piece]
    if name not in _WBITS:
        raise GenerationError(f"The model server packs its answer as '{clean_line(name, 40)}', which nobody asked for.")
    return functools.partial(_unpacked, zlib.decompressobj(_WBITS[name]))


def _unpacked(unpacker: Any, piece: bytes) -> Iterator[bytes]:
    while piece:
        yield unpacker.decompress(piece, _PIECE)
        piece = unpacker.unconsumed_tail


def _redirected(request: httpx2.Request, location: str) -> httpx2.Request:
    """Return the request as it goes to where a redirect leads."""
    target = _same_host(request.url, location)
    headers = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
    return httpx2.Request(
        request.method, target, headers=headers, content=request.content, extensions=request.extensions
    )


def _same_host(asked: httpx2.URL, location: str) -> httpx2.URL:
    """Return where a redirect leads; GenerationError where that is another host."""
    if not location:
        raise GenerationError("The model server redirects and does not say where: check OPENAI_BASE_URL.")
    try:
        target = asked.join(location)
    except (httpx2.InvalidURL, UnicodeError):
        raise GenerationError("The model server redirects to something that is no web address.") from None
    secured = asked.scheme == "http" and target.scheme == "https" and asked.port is None and target.port is None
    same = target.host == asked.host and (secured or (target.scheme, target.port) == (asked.scheme, asked.port))
    if not same:
        where = clean_line(f"{target.scheme}://{target.netloc.decode('ascii', 'replace').rpartition('@')[2]}", 100)
        raise GenerationError(
            f"The model server redirects to another host ({where}), which would get the prompt and the key: "
            "if that is right, set OPENAI_BASE_URL to it."
        )
    return target


@functools.lru_cache(maxsize=1)
def trusted_roots() -> ssl.SSLContext:
    """Return the certificates that are trusted; to read them takes a tenth of a second, each time."""
    return httpx2.create_ssl_context()
