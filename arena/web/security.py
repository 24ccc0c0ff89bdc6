"""The door: hosts, origins, the token, body sizes, and the headers of every answer.

Reads are public. Writes need the token where one is set, else a same-origin request on loopback, so
that no web page elsewhere can post to a local arena.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.config import Settings
from arena.web.problems import problem_response

MAX_BODY = 256 * 1024
COOKIE = "arena_session"
_TOO_LARGE = f"The body is larger than {MAX_BODY // 1024} KiB."
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI writes its own styles into the page.
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


def session_value(token: str) -> str:
    """Return what the cookie holds: proof of the token, not the token."""
    return hmac.new(token.encode(), b"arena session", hashlib.sha256).hexdigest()


class Door:
    """ASGI middleware that lets a request in or answers with a problem."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = settings.arena_token.get_secret_value()
        bound = {settings.host.lower(), f"[{settings.host.lower()}]"} - {"0.0.0.0", "[0.0.0.0]", "::"}
        self._hosts = _LOOPBACK_NAMES | bound | {host.lower() for host in settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, detail = refusal
            await problem_response(status, detail)(scope, receive, _dressed(send, scope["path"]))
            return
        await self._app(scope, _Bounded(receive).receive, _dressed(send, scope["path"]))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            return 421, f"This server does not answer for '{host}': add the name to ALLOWED_HOSTS."
        if int(_digits(headers.get("content-length"))) > MAX_BODY:
            return 413, _TOO_LARGE
        if scope["method"] in _SAFE or scope["path"] == "/api/v1/session":
            return self._foreign(headers, host) if scope["method"] not in _SAFE else None
        return self._foreign(headers, host) or self._unauthorised(scope, headers)

    @staticmethod
    def _foreign(headers: Headers, host: str) -> tuple[int, str] | None:
        origin = headers.get("origin")
        if origin is not None and _site(origin) != host:
            return 403, "A page of another site may not write here."
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return 403, "A page of another site may not write here."
        return None

    def _unauthorised(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if not self._token:
            client = (scope.get("client") or ("", 0))[0]
            if client in {"127.0.0.1", "::1", ""}:
                return None
            return 403, "Without ARENA_TOKEN only this machine may write."
        given = headers.get("authorization", "")
        if given.lower().startswith("bearer ") and _same(given[7:].strip(), self._token):
            return None
        if _same(_cookie(headers, COOKIE), session_value(self._token)):
            return None
        return 401, "This needs the arena's token: Authorization: Bearer ..."


def _site(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _host_name(host: str) -> str:
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.rpartition(":")[0] if name.count(":") == 1 else name


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
