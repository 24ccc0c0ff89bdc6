"""What every request passes first: hosts, origins, who asks, body sizes, rates, and the headers of every answer.

Reads are public unless READS=members. Without accounts a write needs the token where one is set, else a same-origin
request on loopback, so that no web page elsewhere can post to a local arena. With accounts it needs a token of a user,
the arena's own, or a session, whose page proves with each change that it can read what the arena answers.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from urllib.parse import quote, urlsplit

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from arena.config import Settings
from arena.people import sessions as user_sessions
from arena.people import tokens as user_tokens
from arena.people.activity import Deed, record
from arena.people.quotas import RequestRate
from arena.people.rights import ANONYMOUS, OPERATOR, THIS_MACHINE, Caller, Scope
from arena.web.access import API, FORMS, MCP, SAFE, is_guarded, is_open
from arena.web.limits import network_of
from arena.web.problems import problem_response

log = logging.getLogger("arena.web")

MAX_BODY = 256 * 1024
# Market files are the one upload that is larger; its route bounds and writes it piece by piece.
MAX_TAPE_BODY = 32 << 20
TAPES = "/api/v1/tapes"
COOKIE = "arena_session"
CSRF_COOKIE = "arena_csrf"
# A browser takes a cookie of such a name from this very host over TLS alone, so that no other site under the same
# domain can plant one.
_HOST_ONLY = "__Host-"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?")
FREE_GUESSES = 10  # wrong tokens in a row before an address has to wait
LONGEST_WAIT = 300.0
FORGOTTEN = 3600.0  # seconds after its last wait that an address begins anew
_ARENAS_COOKIE = re.compile(r"[0-9a-f]{64}")  # unlike a user's session, which is in base 64
MAX_GUESSERS = 10_000
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
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
        count, until = self._wrong.pop(address, (0, 0.0))
        count = 1 if _now() > until + FORGOTTEN else count + 1
        pause = min(2.0 ** min(count - self._free, 20), LONGEST_WAIT) if count >= self._free else 0.0
        self._wrong[address] = count, _now() + pause
        while len(self._wrong) > MAX_GUESSERS:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget the guesses of an address."""
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

    def refusal(self, scope: AsgiScope, shown: list[str]) -> Refusal | None:
        """Compare what a request shows, as session values, with the arena's; None if one is right."""
        wait = self.wait(scope)
        if wait is not None:
            return wait
        if any(self.is_arenas(one) for one in shown):
            self.right(scope)
            return None
        self.wrong(scope)
        return 401, "That is not the arena's token."

    def is_arenas(self, shown: str) -> bool:
        """Say whether a session value is the arena's own."""
        return bool(self._token) and _same(shown, self._session)

    def wait(self, scope: AsgiScope) -> Refusal | None:
        """Return for how long nothing of this client is looked at, None where it is."""
        client, peer = _addresses(scope)
        wait = max(self._guesses.wait(client), self._passed_on.wait(peer))
        if wait > 0:
            return 429, f"Too many wrong tokens; wait {wait:.0f} s.", max(1, math.ceil(wait))
        return None

    def wrong(self, scope: AsgiScope) -> None:
        """Count something wrong: a token, a password, a link."""
        client, peer = _addresses(scope)
        self._guesses.wrong(client)
        self._passed_on.wrong(peer)

    def right(self, scope: AsgiScope) -> None:
        """Forget what a client has guessed wrong: of use only where nothing is left to guess, as for an admin.

        A user's own right token must not make room for guesses at those of others.
        """
        client, peer = _addresses(scope)
        self._guesses.right(client)
        self._passed_on.right(peer)


def refused(refusal: Refusal) -> Response:
    """Return the answer that a refusal is."""
    status, detail, *wait = refusal
    return problem_response(status, detail, {"retry-after": str(wait[0])} if wait else None)


class SecurityMiddleware:
    """ASGI middleware that finds out who is there and lets a request in, or answers with a problem."""

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens, database: Database) -> None:
        self._app = app
        self._tokens = tokens
        self._database = database
        self._accounts, self._members_only = settings.accounts, settings.reads == "members"
        self._rate = RequestRate(settings.requests_per_minute)
        bound = {settings.host.lower()} - {"0.0.0.0", "::"}
        named = bound | {host.lower() for host in settings.allowed_hosts}
        self._hosts = _LOOPBACK_NAMES | {
            f"[{host}]" if host.count(":") > 1 and host[0] != "[" else host for host in named
        }

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        dressed = _dressed(send, scope["path"])
        answer = self._impossible(scope, headers)
        if answer is None:
            caller, answer = await self._caller(scope, headers)
            counted = self._rate.limited and not is_open(scope["path"])
            rate = await self._rate.hit(_subject(caller, scope)) if counted else None
            if rate is not None:
                dressed = _with_headers(dressed, rate.headers)
                if not rate.allowed:
                    answer = 429, f"You may make {rate.limit} requests a minute; wait {rate.reset} s.", rate.reset
            state = scope.setdefault("state", {})
            state["caller"] = caller
            if self._accounts and caller.user_id is not None:
                state["still_in"] = self._still_in(caller, scope, headers)
            answer = answer or self._forbidden(scope, headers, caller)
        if answer is not None:
            await self._refuse(answer, scope, headers)(scope, receive, dressed)
            return
        if scope["method"] not in SAFE:
            dressed = _recorded(dressed, scope, self._database)
        await self._app(scope, _Bounded(receive, scope).receive, dressed)

    def _impossible(self, scope: AsgiScope, headers: Headers) -> Refusal | None:
        """Return what nobody may do, whoever asks."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) > 1:
            return 400, "A request names one Host."
        unknown = self._unknown_host(host)
        if unknown is not None:
            return unknown
        if "\0" in scope["path"]:
            # No text of a database holds one.
            return 404, "There is nothing at this address."
        if int(_digits(headers.get("content-length"))) > _most(scope):
            return 413, _too_large(scope)
        return None if scope["method"] in SAFE else self._foreign(headers, host, scope["scheme"])

    def _unknown_host(self, host: str) -> Refusal | None:
        if _host_name(host) not in self._hosts:
            return 421, f"This server does not answer for '{host}': add the name to ALLOWED_HOSTS."
        return None

    @staticmethod
    def _foreign(headers: Headers, host: str, scheme: str) -> Refusal | None:
        origin = headers.get("origin")
        # A page that came without TLS may be anybody's between here and there. A proxy that ends TLS need not say so.
        if origin is not None and (_site(origin) != host or (scheme == "https" and origin.startswith("http:"))):
            return 403, "A page of another site may not write here."
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return 403, "A page of another site may not write here."
        return None

    def _refuse(self, refusal: Refusal, scope: AsgiScope, headers: Headers) -> Response:
        shown = not scope["path"].startswith(API) and "text/html" in headers.get("accept", "")
        if refusal[0] == 401 and scope["method"] == "GET" and shown:
            query = scope["query_string"].decode("latin-1")
            wanted = quote(scope["path"] + (f"?{query}" if query else ""), safe="")
            return RedirectResponse(f"/sign-in?next={wanted}", 303)
        return refused(refusal)

    # -- who is there

    async def _caller(self, scope: AsgiScope, headers: Headers) -> tuple[Caller, Refusal | None]:
        """Return who makes a request, or why nobody finds out."""
        safe, path = scope["method"] in SAFE, scope["path"]
        asked = self._members_only or is_guarded(path) or self._rate.limited or self._is_own_page(scope, headers)
        if safe and (not asked or _is_public_file(path)):
            # A public read: nobody asks, and a token that has become wrong does no harm.
            return ANONYMOUS, None
        kind, _, given = headers.get("authorization", "").partition(" ")
        bearer = given.strip() if kind.lower() == "bearer" else ""
        cookie = session_cookie(scope)
        if self._accounts:
            return await self._with_accounts(scope, bearer, cookie)
        return self._without_accounts(scope, bearer, cookie)

    def _is_own_page(self, scope: AsgiScope, headers: Headers) -> bool:
        """Say whether this may be a page of somebody signed in, whose name its head shows."""
        if not self._accounts or scope["path"].startswith(("/api/", "/metrics")) or "authorization" in headers:
            return False
        cookie = session_cookie(scope)
        # The arena's own cookie is nobody's account, and a wrong one would count as a guess at each page.
        return bool(cookie) and _ARENAS_COOKIE.fullmatch(cookie) is None

    def _without_accounts(self, scope: AsgiScope, bearer: str, cookie: str) -> tuple[Caller, Refusal | None]:
        if not self._tokens.required:
            client = (scope.get("client") or ("", 0))[0]
            return (THIS_MACHINE if client in {"127.0.0.1", "::1", ""} else ANONYMOUS), None
        # A guess of the token makes a guess of the session: both count alike.
        shown = [*([session_value(bearer)] if bearer else []), *([cookie] if cookie else [])]
        if not shown or scope["path"] in _SIGN_IN:
            return ANONYMOUS, None
        refusal = self._tokens.refusal(scope, shown)
        public = scope["method"] in SAFE and not self._members_only and not is_guarded(scope["path"])
        return (OPERATOR, None) if refusal is None else (ANONYMOUS, None if public else refusal)

    async def _with_accounts(self, scope: AsgiScope, bearer: str, cookie: str) -> tuple[Caller, Refusal | None]:
        if bearer:
            return await self._by_bearer(scope, bearer)
        if _ARENAS_COOKIE.fullmatch(cookie):
            # The proof of a token that people may have chosen themselves: a guess counts.
            refusal = self._tokens.refusal(scope, [cookie])
            if refusal is None:
                return replace(OPERATOR, by="session", csrf=user_sessions.csrf_of(cookie)), None
            return ANONYMOUS, None if scope["method"] in SAFE else refusal
        if cookie:
            # 256 random bits: to guess one is hopeless, so that a session that has ended counts as no guess.
            return await run_in_threadpool(user_sessions.caller_of, self._database, cookie) or ANONYMOUS, None
        return ANONYMOUS, None

    async def _by_bearer(self, scope: AsgiScope, bearer: str) -> tuple[Caller, Refusal | None]:
        wait = self._tokens.wait(scope)
        if wait is not None:
            return ANONYMOUS, wait
        caller: Caller | None = OPERATOR if self._tokens.is_arenas(session_value(bearer)) else None
        caller = caller or await run_in_threadpool(user_tokens.caller_of, self._database, bearer)
        if caller is None:
            self._tokens.wrong(scope)
            return ANONYMOUS, (401, "This token is none of this arena's, or it was revoked or is too old.")
        if caller.admin:
            self._tokens.right(scope)
        return caller, None

    def _still_in(self, caller: Caller, scope: AsgiScope, headers: Headers) -> Callable[[], bool]:
        """Return what tells whether a caller would still be let in by what this request has shown."""
        if caller.by == "session":
            return partial(user_sessions.is_open, self._database, session_cookie(scope))
        return partial(
            user_tokens.is_of_use, self._database, headers.get("authorization", "").partition(" ")[2].strip()
        )

    # -- what they may

    def _forbidden(self, scope: AsgiScope, headers: Headers, caller: Caller) -> Refusal | None:
        safe, path = scope["method"] in SAFE, scope["path"]
        if safe:
            if self._members_only and not is_open(path) and not caller.has(Scope.READ):
                return (403, "This token has no scope 'read'.") if caller.known else self._unknown()
            return None
        if caller.by == "session" and caller.csrf and path not in FORMS and not _is_account_form(path):
            if not _same(headers.get("x-csrf-token", ""), caller.csrf):
                return 403, f"Send X-CSRF-Token with what the cookie {cookie_name(scope, CSRF_COOKIE)} holds."
            return None
        return None if caller.known or path in _WITHOUT_TOKEN or path in FORMS else self._unknown()

    def _unknown(self) -> Refusal:
        """Return what somebody who is not known is told."""
        if self._accounts:
            return 401, "Sign in, or send a token: Authorization: Bearer arena_..."
        if self._tokens.required:
            return 401, "This needs the arena's token: Authorization: Bearer ..."
        return 403, "Without ARENA_TOKEN only this machine may write."


_SIGN_IN = frozenset({f"{API}/session", "/sign-in"})
# Where a request without a token is let in: to sign in, and to read by tools where reads are public.
_WITHOUT_TOKEN = _SIGN_IN | {MCP}


def _is_account_form(path: str) -> bool:
    return path.startswith("/account/")


def _is_public_file(path: str) -> bool:
    return path.startswith(("/static/", "/vendor/")) or path in {"/healthz", "/readyz"}


def _subject(caller: Caller, scope: AsgiScope) -> str:
    """Return whose requests are counted together: a user's, else an address's."""
    return caller.user_id or network_of((scope.get("client") or ("", 0))[0])


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    more = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return sent


def _recorded(send: Send, scope: AsgiScope, database: Database) -> Send:
    """Record what a request has done, before its answer goes out; refusals of somebody known are recorded as well."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            deed: Deed | None = scope["state"].pop("deed", None)
            caller: Caller = scope["state"]["caller"]
            status = int(message["status"])
            if deed is not None and (status < 400 or (status == 403 and caller.known)):
                made = next((value for name, value in message["headers"] if name.lower() == b"location"), b"")
                name = deed.object or made.decode("latin-1").rpartition("/")[2]
                deed = replace(deed, object=name, outcome=status)
                address = (scope.get("client") or ("", 0))[0]
                try:
                    await run_in_threadpool(record, database, caller, address, deed)
                except SQLAlchemyError as error:
                    log.error("What was done could not be recorded: %s: %s", deed.action, error)
        await send(message)

    return sent


def _addresses(scope: AsgiScope) -> tuple[str, str]:
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


def cookie_name(scope: AsgiScope, name: str) -> str:
    """Return what a cookie is called: over TLS a name that only this host can set."""
    return f"{_HOST_ONLY}{name}" if scope["scheme"] == "https" else name


def session_cookie(scope: AsgiScope) -> str:
    """Return the session that a browser shows, "" where it shows none, or two: then one of them was planted."""
    wanted, found = cookie_name(scope, COOKIE), set()
    for line in Headers(scope=scope).getlist("cookie"):
        for part in line.split(";"):
            name, _, value = part.strip().partition("=")
            if name == wanted:
                found.add(value)
    return found.pop() if len(found) == 1 else ""


class BodyTooLargeError(HTTPException):
    """A body without a length has grown past the limit; FastAPI lets HTTP errors of a body pass."""

    def __init__(self, sentence: str) -> None:
        super().__init__(413, sentence)


def _most(scope: AsgiScope) -> int:
    """Return how many bytes the body of a request may have."""
    return MAX_TAPE_BODY if scope["path"] == TAPES else MAX_BODY


def _too_large(scope: AsgiScope) -> str:
    if scope["path"] == TAPES:
        return f"A market file of more than {MAX_TAPE_BODY >> 20} MiB is not taken: put it into the server's DATA_DIR."
    return f"The body is larger than {MAX_BODY // 1024} KiB; a bot's source may have 64 KiB."


class _Bounded:
    def __init__(self, receive: Receive, scope: AsgiScope) -> None:
        self._receive = receive
        self._scope = scope
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > _most(self._scope):
            raise BodyTooLargeError(_too_large(self._scope))
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
        # Not no-referrer: a browser would then send each form of our own pages with `Origin: null`.
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", caching.encode()),
    )


_API_DRESS = _dress(_POLICY, "no-store")
_DOCS_DRESS = _dress(_DOCS_POLICY, "no-cache")
_PAGE_DRESS = _dress(_POLICY, "no-cache")
