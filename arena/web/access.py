"""The right that each route needs, and the dependency that asks for it before a route is entered.

Every route that changes something stands in the table; a server does not start with one that does not.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from arena.errors import NotFoundError
from arena.people.activity import Deed
from arena.people.ownership import Kind, owner_of
from arena.people.rights import ANONYMOUS, Caller, Right, refusal
from arena.store import queries
from arena.web.context import AppState, Ctx

API = "/api/v1"
MCP = "/mcp"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Access:
    """What a route needs; `action` is how it is recorded, '' for what changes nothing worth a record."""

    right: Right
    action: str = ""
    kind: Kind | None = None
    parameter: str = ""  # of the address, that names the object


def _bot(right: Right, action: str) -> Access:
    return Access(right, action, Kind.BOT, "bot_id")


def _submission(action: str) -> Access:
    return Access(Right.OWN, action, Kind.SUBMISSION, "submission_id")


def _webhook(action: str) -> Access:
    return Access(Right.OWN, action, Kind.WEBHOOK, "webhook_id")


def _user(action: str) -> Access:
    return Access(Right.ADMIN, action, None, "name")


TABLE: dict[tuple[str, str], Access] = {
    ("POST", f"{API}/strategies"): Access(Right.SUBMIT, "submit strategy"),
    ("POST", f"{API}/strategies/{{submission_id}}/cancel"): _submission("cancel strategy"),
    ("POST", f"{API}/strategies/{{submission_id}}/answer"): _submission("answer question"),
    ("POST", f"{API}/bots"): Access(Right.SUBMIT, "upload bot"),
    ("POST", f"{API}/bots/check"): Access(Right.SUBMIT),
    ("POST", f"{API}/bots/{{bot_id}}/verify"): _bot(Right.SUBMIT, "ask for proof"),
    ("POST", f"{API}/bots/{{bot_id}}/robust"): _bot(Right.SUBMIT, "ask for robustness"),
    ("POST", f"{API}/tapes"): Access(Right.SUBMIT, "upload tape"),
    ("POST", f"{API}/backtests"): Access(Right.SUBMIT, "ask for backtest"),
    ("POST", f"{API}/tournaments"): Access(Right.SUBMIT, "ask for tournament"),
    ("POST", f"{API}/bots/{{bot_id}}/pause"): _bot(Right.OWN, "pause bot"),
    ("POST", f"{API}/bots/{{bot_id}}/resume"): _bot(Right.OWN, "resume bot"),
    ("POST", f"{API}/bots/{{bot_id}}/revise"): _bot(Right.OWN, "revise bot"),
    ("DELETE", f"{API}/bots/{{bot_id}}"): _bot(Right.OWN, "retire bot"),
    ("POST", f"{API}/bots/{{bot_id}}/disqualify"): _bot(Right.ADMIN, "disqualify bot"),
    ("DELETE", f"{API}/bots/{{bot_id}}/disqualify"): _bot(Right.ADMIN, "take disqualification back"),
    ("POST", f"{API}/seasons"): Access(Right.ADMIN, "open season"),
    ("POST", f"{API}/seasons/close"): Access(Right.ADMIN, "close season"),
    ("DELETE", f"{API}/jobs/{{job_id}}"): Access(Right.OWN, "cancel job", Kind.JOB, "job_id"),
    ("GET", f"{API}/webhooks"): Access(Right.SUBMIT),
    ("POST", f"{API}/webhooks"): Access(Right.SUBMIT, "add webhook"),
    ("POST", f"{API}/webhooks/{{webhook_id}}/test"): _webhook("test webhook"),
    ("DELETE", f"{API}/webhooks/{{webhook_id}}"): _webhook("remove webhook"),
    ("POST", f"{API}/session"): Access(Right.OPEN, "sign in by token"),
    ("POST", f"{API}/me/tokens"): Access(Right.SIGNED_IN, "make token"),
    ("DELETE", f"{API}/me/tokens/{{token_id}}"): Access(Right.SIGNED_IN, "revoke token", None, "token_id"),
    ("POST", f"{API}/users"): Access(Right.ADMIN, "add user"),
    ("POST", f"{API}/users/{{name}}/disable"): _user("disable user"),
    ("POST", f"{API}/users/{{name}}/enable"): _user("enable user"),
    ("POST", f"{API}/users/{{name}}/link"): _user("make sign-in link"),
    ("GET", f"{API}/me/tokens"): Access(Right.SIGNED_IN),
    ("GET", f"{API}/users"): Access(Right.ADMIN),
    ("GET", f"{API}/activity"): Access(Right.ADMIN),
    ("GET", f"{API}/me"): Access(Right.OPEN),
    # Each tool asks for the right of the route that does the same.
    ("POST", MCP): Access(Right.OPEN),
    # -- pages
    ("GET", "/sign-in"): Access(Right.OPEN),
    ("POST", "/sign-in"): Access(Right.OPEN),
    ("POST", "/sign-out"): Access(Right.OPEN, "sign out"),
    ("GET", "/account"): Access(Right.SIGNED_IN),
    ("POST", "/account/password"): Access(Right.SIGNED_IN, "set password"),
    ("POST", "/account/tokens"): Access(Right.SIGNED_IN, "make token"),
    ("POST", "/account/tokens/{token_id}/revoke"): Access(Right.SIGNED_IN, "revoke token", None, "token_id"),
    ("POST", "/account/sessions/end"): Access(Right.SIGNED_IN, "end sessions"),
}  # fmt: skip
# Forms, whose pages send the proof that they could read the arena's answer as a field: their routes check it.
FORMS = frozenset(path for (method, path) in TABLE if method == "POST" and not path.startswith(API))
# What anybody may read even where READS=members: to sign in, and whether the process lives.
_OPEN_PATHS = frozenset({"/sign-in", "/healthz", "/readyz", f"{API}/me", f"{API}/session"})
_OPEN_FOLDERS = ("/static/", "/vendor/")


def is_open(path: str) -> bool:
    """Say whether an address may be read by anybody, whatever READS says."""
    return path in _OPEN_PATHS or path.startswith(_OPEN_FOLDERS)


@cache
def _guarded() -> re.Pattern[str]:
    paths = [path for (method, path), found in TABLE.items() if method == "GET" and found.right is not Right.READ]
    return re.compile("|".join(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) for path in paths))


def is_guarded(path: str) -> bool:
    """Say whether reading an address depends on who asks, even where reads are public."""
    return _guarded().fullmatch(path) is not None


def access_of(method: str, path: str) -> Access:
    """Return what a route needs, given by its template; a read that the table does not name is a plain one."""
    found = TABLE.get((method, path))
    if found is None and method == "HEAD":
        found = TABLE.get(("GET", path))
    if found is not None:
        return found
    if method in SAFE:
        return Access(Right.READ)
    raise LookupError(f"{method} {path} has no row in the table of rights")


def refuse_unlisted(app: FastAPI) -> None:
    """Raise LookupError where a route that changes something is in no table, so that none is ever open by mistake."""
    for method, path in routes_of(app):
        access_of(method, path)


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Return every method and address of an app's routes, those of its routers included."""
    found = [(each.path or "", each.methods or ()) for each in iter_route_contexts(app.routes)]
    return [(method, path) for path, methods in found for method in sorted(methods)]


async def caller_of(request: Request) -> Caller:
    """Return who makes a request, as `SecurityMiddleware` has found out."""
    found: Caller = request.scope.get("state", {}).get("caller", ANONYMOUS)
    return found


Known = Annotated[Caller, Depends(caller_of)]


def authorise(prefix: str) -> Callable[[Request, Ctx], Awaitable[None]]:
    """Return the dependency of a router under a prefix.

    It refuses a caller who has not the right that the route needs: 401 where nobody is known, else 403.
    """

    async def check(request: Request, context: Ctx) -> None:
        access = access_of(request.method, prefix + request.scope["route"].path)
        if access.right is Right.SIGNED_IN and not prefix and not context.settings.accounts:
            raise NotFoundError("This arena has no accounts: ACCOUNTS=on turns them on.")
        caller = await caller_of(request)
        name = str(request.path_params.get(access.parameter, ""))
        if access.action:
            request.scope["state"]["deed"] = Deed(access.action, name)
        # Whether reads are for members alone, the door has asked already.
        await permit(context, access, caller, name, season=request.query_params.get("season"))

    return check


async def permit(
    context: AppState, access: Access, caller: Caller, name: str, *, season: str | None = None,
    members_only: bool = False,
) -> None:  # fmt: skip
    """Refuse a caller who may not do this to the object of that name: 401 where nobody is known, else 403."""
    owns = False
    if access.right is Right.OWN and caller.user_id is not None and not caller.admin:
        owns = await run_in_threadpool(_owns, context, access, caller, name, season)
    sentence = refusal(caller, access.right, owns=owns, members_only=members_only)
    if sentence is not None:
        raise HTTPException(403 if caller.known else 401, sentence)


def _owns(context: AppState, access: Access, caller: Caller, name: str, season: str | None) -> bool:
    assert access.kind is not None
    season_id = context.season_id
    if season is not None and season.isascii() and season.isdigit() and len(season) < 10:
        # The same bot as the route finds by this name.
        season_id = queries.season_by_number(context.database, int(season))["id"]
    return owner_of(context.database, access.kind, season_id, name) == caller.user_id
