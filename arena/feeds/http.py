"""HTTP requests to the venues: one TLS context, one proxy rule, one deadline and one size limit.

A response arrives whole within the deadline and the size limit, or the request fails. The limit is checked
while the body is decompressed, so that a small compressed body cannot expand beyond it in memory.
Redirects are not followed: they could send an account's keys elsewhere.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from arena.errors import FeedError
from arena.feeds.retry import ConnectFailure, PollFailedError

Params = Mapping[str, str] | Sequence[tuple[str, str]]
WrapTransport = Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport]

_MIB = 1024 * 1024
_NOT_SENT = (httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol)
# A SOCKS proxy without its package is an ImportError, a host name that no resolver accepts a ValueError.
_ERRORS = (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError, ImportError, ValueError)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response; the body is decompressed."""

    status: int
    headers: httpx2.Headers
    body: bytes


class ResponseTooLargeError(PollFailedError):
    """The response exceeds the size limit."""


class HttpClient:
    """GET requests to the REST API at `base_url`; use it as an asynchronous context manager.

    `name` is the venue in error messages, the host where it is empty. `timeout` covers a whole request and
    `max_bytes` the decompressed body. `wrap_transport` may change requests below the client, which logs
    the addresses it is given. PollFailedError on entering where the environment's proxy cannot be used.
    """

    def __init__(
        self,
        base_url: httpx2.URL,
        *,
        timeout: float,
        max_bytes: int,
        name: str = "",
        headers: Mapping[str, str] | None = None,
        connect_timeout: float | None = None,
        max_connections: int = 8,
        wrap_transport: WrapTransport | None = None,
    ) -> None:
        self.name = name or base_url.host
        self._base_url = base_url
        self._timeout = timeout
        self._connect_timeout = timeout if connect_timeout is None else connect_timeout
        self._max_bytes = max_bytes
        self._headers = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        self._limits = httpx2.Limits(max_connections=max_connections)
        self._wrap_transport = wrap_transport
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        try:
            proxy = None if is_loopback(str(self._base_url)) else _proxy_for(self._base_url)
            transport: httpx2.AsyncBaseTransport = httpx2.AsyncHTTPTransport(
                verify=trusted_roots(), proxy=proxy, limits=self._limits
            )
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            message = f"The proxy for {self.name} cannot be used: {error}."
            raise PollFailedError(ConnectFailure(message), sent=False) from error
        self._client = httpx2.AsyncClient(
            base_url=self._base_url,
            transport=transport if self._wrap_transport is None else self._wrap_transport(transport),
            headers=[(b"Accept-Encoding", b"gzip"), *self._headers.items()],
            timeout=httpx2.Timeout(self._timeout, connect=self._connect_timeout),
        )
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client is not None
        await self._client.__aexit__(kind, error, trace)

    async def get(self, path: str, params: Params = ()) -> HttpResponse:
        """Return the whole response of any status; PollFailedError where there is none."""
        assert self._client is not None
        query = httpx2.QueryParams(params if isinstance(params, Mapping) else list(params))
        try:
            async with asyncio.timeout(self._timeout), self._client.stream("GET", path, params=query) as response:
                return HttpResponse(response.status_code, response.headers, await self._body(response))
        except _NOT_SENT as error:
            raise self._failed(f"cannot be reached: {_reason(error)}", sent=False) from None
        except httpx2.ConnectTimeout:
            raise self._failed("did not answer in time", sent=False) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise self._failed("did not answer in time") from None
        except _ERRORS as error:
            raise self._failed(f"broke off its answer: {_reason(error)}") from None

    async def _body(self, response: httpx2.Response) -> bytes:
        """Return the decompressed body; memory is bounded by the limit and one network read."""
        body, limit = bytearray(), self._max_bytes
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip", ""}:
            raise ValueError(f"it is encoded as {encoding[:20]}, which was not asked for")
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in encoding else None
        try:
            async for chunk in response.aiter_raw():
                body += chunk if unpacker is None else unpacker.decompress(chunk, limit + 1 - len(body))
                if len(body) > limit:
                    size = f"{limit // _MIB} MiB" if limit >= _MIB else f"{limit} bytes"
                    raise ResponseTooLargeError(ConnectFailure(f"{self.name} answered with more than {size}."))
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if unpacker is not None and body and not unpacker.eof:
            raise ValueError("its compressed body is cut off")
        return bytes(body)

    def _failed(self, what: str, *, sent: bool = True) -> PollFailedError:
        return PollFailedError(ConnectFailure(f"{self.name} {what}."), sent=sent)


def base_url_of(text: str, complaint: str) -> httpx2.URL:
    """Return a configured address; FeedError with this sentence where it is not one."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        url = httpx2.URL(text.rstrip("/"))
    except (ValueError, httpx2.InvalidURL):
        valid = False
    if not valid:
        raise FeedError(complaint)
    return url


def is_loopback(url: str) -> bool:
    """Return whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@functools.lru_cache(maxsize=1)
def trusted_roots() -> ssl.SSLContext:
    """Return the TLS context of all feeds; loading the certificate authorities takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _proxy_for(url: httpx2.URL) -> str | None:
    """Return the proxy that the environment names for an address."""
    if proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
