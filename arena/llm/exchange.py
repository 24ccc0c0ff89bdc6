"""One HTTP exchange with a model server, within one deadline and a limit on the unpacked answer.

The body is unpacked piece by piece, so that a small answer that unpacks to gigabytes costs no memory.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from arena.core.text import clean_line
from arena.errors import GenerationError

MAX_ANSWER = 8 * 1024 * 1024
_PIECE = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WBITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server sent: status, headers and the unpacked body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class BrokenOffError(GenerationError):
    """The connection ended before the answer did."""


class UnreachableError(GenerationError):
    """No connection came about."""


async def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
    """Send a request and return the answer; the caller's own timeout is the deadline.

    A redirect is followed once and only to the same host, because the prompt and the key would go with it.
    """
    timeout = httpx2.Timeout(seconds)
    async with httpx2.AsyncClient(timeout=timeout, verify=trusted_roots(), follow_redirects=False) as client:
        try:
            target = httpx2.URL(url)
            if target.scheme not in {"http", "https"} or not target.host:
                raise GenerationError(f"OPENAI_BASE_URL is no web address: {clean_line(url, 100)}.")
            answer = await _sent(client, target, body, headers)
            if answer.status in _REDIRECTS:
                target = _same_host(target, answer.headers.get("location", ""))
                answer = await _sent(client, target, body, headers)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError):
            raise GenerationError(f"OPENAI_BASE_URL is no web address: {clean_line(url, 100)}.") from None
        if answer.status in _REDIRECTS:
            raise GenerationError("The model server redirects more than once: set OPENAI_BASE_URL to its real address.")
        return answer


async def _sent(client: httpx2.AsyncClient, url: httpx2.URL, body: bytes, headers: Mapping[str, str]) -> Answer:
    received = 0
    try:
        async with client.stream("POST", url, content=body, headers=dict(headers)) as response:
            unpack = _unpacking(response.headers.get("content-encoding", ""))
            parts: list[bytes] = []
            size = 0
            async with contextlib.aclosing(response.aiter_raw()) as pieces:
                async for piece in pieces:
                    received += len(piece)
                    for part in unpack(piece):
                        size += len(part)
                        if size > MAX_ANSWER:
                            raise GenerationError(
                                f"The model server's answer is larger than {MAX_ANSWER >> 20} MiB when unpacked."
                            )
                        parts.append(part)
            return Answer(response.status_code, response.headers, b"".join(parts))
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise UnreachableError(f"The model server cannot be reached ({_cause(error)}).") from None
    except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
        raise BrokenOffError(f"The model server's answer broke off after {received} bytes ({_cause(error)}).") from None
    except zlib.error:
        raise GenerationError("The model server's answer cannot be unpacked: its compression is broken.") from None
    except httpx2.TimeoutException:
        raise TimeoutError from None
    except httpx2.TransportError as error:
        raise UnreachableError(f"The model server cannot be reached ({_cause(error)}).") from None


def _cause(error: BaseException) -> str:
    return clean_line(str(error) or type(error).__name__, 200)


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


def _same_host(asked: httpx2.URL, location: str) -> httpx2.URL:
    """Return where a redirect leads; GenerationError where that is another host."""
    target = asked.join(location)
    secured = asked.scheme == "http" and target.scheme == "https" and asked.port is None and target.port is None
    same = target.host == asked.host and (secured or (target.scheme, target.port) == (asked.scheme, asked.port))
    if not location or not same:
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
