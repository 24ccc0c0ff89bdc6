"""The door: hosts, origins, the token, body sizes, and the headers of every answer.

Reads are public. Writes need the token where one is set, else a same-origin request on loopback, so
that no web page elsewhere can post to a local arena.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.config import Settings
from arena.web.limits import network_of
from arena.web.problems import problem_response

MAX_BODY = 256 * 1024
COOKIE = "arena_session"
_TOO_LARGE = f"The body is larger than {MAX_BODY // 1024} KiB; a bot's source may have 64 KiB."
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?")
FREE_GUESSES = 10  # wrong tokens in a row before an address has to wait
LONGEST_WAIT = 300.0
MAX_GUESSERS = 10_000
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI writes its own styles into the page.
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


Refusal = tuple[int, str] | tuple[int, str, int]


def session_value(token: str) -> str:
    """Return what the cookie holds: proof of the token, not the token."""
    return hmac.new(token.encode("utf-8", "replace"), b"arena session", hashlib.sha256).hexdigest()


_now = time.monotonic


class Guesses:
    """Wrong tokens by address: after a few, each further one doubles the wait before the next is looked at."""

    def __init__(self, free: int = FREE_GUESSES) -> None:
        self._free = free
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return the seconds for which no token of this address is looked at."""
        _, until = self._wrong.get(address, (0, 0.0))
        return max(0.0, until - _now())

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        count = self._wrong.pop(address, (0, 0.0))[0] + 1
        pause = min(2.0 ** min(count - self._free, 20), LONGEST_WAIT) if count >= self._free else 0.0
        self._wrong[address] = count, _now() + pause
        while len(self._wrong) > MAX_GUESSERS:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget an address that knows the token."""
        self._wrong.pop(address, None)


class Tokens:
    """Looks at the tokens and sessions that requests show; used by the event loop only."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._session = session_value(token)
        # Behind a proxy the address is the proxy's word: the proxy too may pass on only so many wrong tokens.
        self._guesses, self._passed_on = Guesses(), Guesses(20 * FREE_GUESSES)

    @property
    def required(self) -> bool:
        """Say whether writes need a token."""
        return bool(self._token)

    def refusal(self, scope: Scope, shown: list[str]) -> Refusal | None:
        """Compare what a request shows, as session values, with the arena's; None if one is right."""
        client, peer = _addresses(scope)
        wait = max(self._guesses.wait(client), self._passed_on.wait(peer))
        if wait > 0:
            return 429, f"Too many wrong tokens; wait {wait:.0f} s.", max(1, math.ceil(wait))
        if self._token and any(_same(one, self._session) for one in shown):
            self._guesses.right(client)
            self._passed_on.right(peer)
            return None
        self._guesses.wrong(client)
        self._passed_on.wrong(peer)
        return 401, "That is not the arena's token."


def refused(refusal: Refusal) -> Response:
    """Return the answer that a refusal is."""
    status, detail, *wait = refusal
    return problem_response(status, detail, {"retry-after": str(wait[0])} if wait else None)


class SecurityMiddleware:
    """ASGI middleware that lets a request in or answers with a problem."""

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens | None = None) -> None:
        self._app = app
        self._tokens = tokens or Tokens(settings.arena_token.get_secret_value())
        bound = {settings.host.lower()} - {"0.0.0.0", "::"}
        named = bound | {host.lower() for host in settings.allowed_hosts}
        self._hosts = _LOOPBACK_NAMES | {
            f"[{host}]" if host.count(":") > 1 and host[0] != "[" else host for host in named
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if len(headers.getlist("host")) > 1:
            refusal = 400, "A request names one Host."
        elif "\0" in scope["path"]:
            # No text of a database holds one.
            refusal = 404, "There is nothing at this address."
        if refusal is not None:
            await refused(refusal)(scope, receive, _dressed(send, scope["path"]))
            return
        await self._app(scope, _Bounded(receive).receive, _dressed(send, scope["path"]))

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            return 421, f"This server does not answer for '{host}': add the name to ALLOWED_HOSTS."
        if int(_digits(headers.get("content-length"))) > MAX_BODY:
            return 413, _TOO_LARGE
        if scope["method"] in _SAFE or scope["path"] == "/api/v1/session":
            return self._foreign(headers, host) if scope["method"] not in _SAFE else None
        return self._foreign(headers, host) or self._unauthorised(scope, headers)

    @staticmethod
    def _foreign(headers: Headers, host: str) -> Refusal | None:
        origin = headers.get("origin")
        if origin is not None and _site(origin) != host:
            return 403, "A page of another site may not write here."
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return 403, "A page of another site may not write here."
        return None

    def _unauthorised(self, scope: Scope, headers: Headers) -> Refusal | None:
        if not self._tokens.required:
            client = (scope.get("client") or ("", 0))[0]
            if client in {"127.0.0.1", "::1", ""}:
                return None
            return 403, "Without ARENA_TOKEN only this machine may write."
        kind, _, given = headers.get("authorization", "").partition(" ")
        shown = [session_value(given.strip())] if kind.lower() == "bearer" and given.strip() else []
        # A guess of the token makes a guess of the session: both count alike.
        shown += [cookie] if (cookie := _cookie(headers, COOKIE)) else []
        if not shown:
            return 401, "This needs the arena's token: Authorization: Bearer ..."
        return self._tokens.refusal(scope, shown)


def _addresses(scope: Scope) -> tuple[str, str]:
    """Return who asks, and who is connected: the same unless a proxy passes requests on."""
    client = network_of((scope.get("client") or ("", 0))[0])
    return client, network_of((scope.get("state") or {}).get("peer", "")) or client


def _site(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _host_name(host: str) -> str:
    """Return the name in a Host header, "" where it is not a name or an address with or without a port."""
    found = _HOST.fullmatch(host.lower())
    return found[1] if found else ""


def _digits(text: str | None) -> str:
    return text if text and text.isascii() and text.isdigit() and len(text) < 16 else "0"


def _cookie(headers: Headers, name: str) -> str:
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


class BodyTooLargeError(HTTPException):
    """A body without a length has grown past the limit; FastAPI lets HTTP errors of a body pass."""

    def __init__(self) -> None:
        super().__init__(413, _TOO_LARGE)


class _Bounded:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > MAX_BODY:
            raise BodyTooLargeError
        return message


def _dressed(send: Send, path: str) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message["headers"]
            present = {name for name, _ in given}
            message["headers"] = [*given, *(header for header in _dress_of(path) if header[0] not in present)]
        await send(message)

    return dressed


def _dress_of(path: str) -> tuple[tuple[bytes, bytes], ...]:
    if path.startswith("/api"):
        return _API_DRESS
    return _DOCS_DRESS if path.startswith("/docs") else _PAGE_DRESS


def _dress(policy: str, caching: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", caching.encode()),
    )


_API_DRESS = _dress(_POLICY, "no-store")
_DOCS_DRESS = _dress(_DOCS_POLICY, "no-cache")
_PAGE_DRESS = _dress(_POLICY, "no-cache")
