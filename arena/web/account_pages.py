"""Pages of accounts: to sign in and out, and a user's own tokens, password and quotas. They work without scripts."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from arena.core.text import clean_name
from arena.errors import ArenaError, ConflictError, RefusedError
from arena.people import accounts, sessions, tokens
from arena.people.activity import Deed, record
from arena.people.quotas import QuotaLimits, quota_documents
from arena.people.rights import Caller, Scope
from arena.web.access import authorise, caller_of
from arena.web.context import AppState, Ctx, Waiting
from arena.web.forms import open_form
from arena.web.limits import ConcurrencyLimits
from arena.web.pages import page_values, templates
from arena.web.security import COOKIE, CSRF_COOKIE, Tokens, cookie_name, refused, session_cookie, session_value

router = APIRouter(include_in_schema=False, dependencies=[Depends(authorise(""))])

_COOKIE_SECONDS = int(sessions.LONGEST)
SameSite = Literal["lax", "strict"]


def set_cookies(request: Request, answer: Response, secret: str, csrf: str = "", samesite: SameSite = "lax") -> None:
    """Give a browser its session, and what its page sends with each change, which scripts may read.

    Over TLS alone where the request came so.
    """
    for name, value in ((COOKIE, secret), (CSRF_COOKIE, csrf)):
        if value:
            answer.set_cookie(
                cookie_name(request.scope, name), value, max_age=_COOKIE_SECONDS, path="/", samesite=samesite,
                secure=request.url.scheme == "https", httponly=name == COOKIE,
            )  # fmt: skip


def _local(address: str) -> str:
    """Return an address of this site, "/" for any other: a link may not lead away after signing in."""
    inner = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if inner and "\\" not in address else "/"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a sign-in form holds."""

    name: str
    password: str
    link: str
    token: str
    following: str

    @classmethod
    def of(cls, form: FormData) -> _Entry:
        def text(name: str, most: int) -> str:
            value = form.get(name)
            return value[:most] if isinstance(value, str) else ""

        return cls(
            text("name", 200),
            text("password", 1000),
            text("link", 200),
            text("token", 1000),
            _local(text("next", 2000)),
        )


def _page(request: Request, context: AppState, template: str, status: int = 200, **values: Any) -> Response:
    shown = {**page_values(context), "accounts": context.settings.accounts, **values}
    answer = templates.TemplateResponse(request, template, shown, status)
    answer.headers["cache-control"] = "no-store"
    return answer


# -- in and out


@router.get("/sign-in")
async def sign_in_form(request: Request, context: Ctx, lines: Waiting, link: str = "", next: str = "/") -> Response:  # noqa: A002
    """Ask for name and password; a one-time link asks for a click, since some programs open every link they see."""
    return await lines.reads.run(
        request, _page, request, context, "sign_in.html", link=link[:200], following=_local(next), problem=""
    )


@router.post("/sign-in")
async def sign_in(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Sign in by password or by a one-time link, or without accounts by the arena's token."""
    door: Tokens = request.app.state.tokens
    wait = door.wait(request.scope)
    async with open_form(request, max_files=0, max_fields=8) as form:
        entry = _Entry.of(form)
    if wait is not None:
        headers = dict(refused(wait).headers.items())
        told = {"retry-after": headers["retry-after"]}
        return await _again(request, context, lines, entry, wait[1], wait[0], told)
    if not context.settings.accounts:
        return await _by_arena_token(request, context, lines, entry)
    account = await lines.writes.run(request, _account_of, context, entry)
    if account is None:
        door.wrong(request.scope)
        what = "link" if entry.link else "password"
        failed = Caller("anonymous", clean_name(entry.name)[:40] or "nobody known")
        address = request.client.host if request.client else ""
        await run_in_threadpool(record, context.database, failed, address, Deed("sign in", "", 401, {"how": what}))
        sentence = (
            "This link was used already, or is too old: ask for another." if entry.link
            else "This name and password do not fit."
        )  # fmt: skip
        return await _again(request, context, lines, entry, sentence, 401)
    if account.admin:
        door.right(request.scope)
    before = session_cookie(request.scope)
    address = request.client.host if request.client else ""
    secret = await lines.writes.run(request, sessions.open_session, context.database, account, address, before)
    answer = RedirectResponse(entry.following, 303)
    set_cookies(request, answer, secret, sessions.csrf_of(secret))
    caller = Caller("session", account.name, account.id)
    await run_in_threadpool(record, context.database, caller, address, Deed("sign in", account.name, 303))
    return answer


def _account_of(context: AppState, entry: _Entry) -> accounts.Account | None:
    if entry.link:
        return accounts.use_link(context.database, entry.link)
    return accounts.check_password(context.database, entry.name, entry.password)


async def _by_arena_token(request: Request, context: AppState, lines: ConcurrencyLimits, entry: _Entry) -> Response:
    door: Tokens = request.app.state.tokens
    refusal = door.refusal(request.scope, [session_value(entry.token)])
    if refusal is not None:
        return await _again(request, context, lines, entry, refusal[1], refusal[0])
    answer = RedirectResponse(entry.following, 303)
    set_cookies(request, answer, session_value(entry.token), samesite="strict")
    return answer


async def _again(
    request: Request, context: AppState, lines: ConcurrencyLimits, entry: _Entry, sentence: str, status: int,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    answer = await lines.reads.run(
        request, _page, request, context, "sign_in.html", status, link="", following=entry.following, problem=sentence
    )
    answer.headers.update(headers or {})
    return answer


async def _checked_form(request: Request) -> FormData:
    """Return a form whose page could read what the arena answered; else it may be another site's."""
    caller = await caller_of(request)
    form = await open_form(request, max_files=0, max_fields=20)
    given = form.get("csrf")
    if not caller.csrf or not isinstance(given, str) or not hmac.compare_digest(given.encode(), caller.csrf.encode()):
        raise HTTPException(403, "This form is out of date: load the page again and repeat it.")
    return form


@router.post("/sign-out")
async def sign_out(request: Request, context: Ctx) -> Response:
    """End the session of this browser."""
    await _checked_form(request)
    await run_in_threadpool(sessions.close_session, context.database, session_cookie(request.scope))
    answer = RedirectResponse("/", 303)
    for name in (COOKIE, CSRF_COOKIE):
        answer.delete_cookie(
            cookie_name(request.scope, name), path="/", secure=request.url.scheme == "https", samesite="lax"
        )
    return answer


# -- a user's own page


@router.get("/account")
async def account_page(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Show a user's tokens, quotas and sessions."""
    return await lines.reads.run(request, _account_page, request, context, await caller_of(request))


def _account_page(
    request: Request, context: AppState, caller: Caller, problem: str = "", token: str = "", status: int = 200
) -> Response:
    assert caller.user_id is not None  # the right of this page is SIGNED_IN
    account = accounts.user_by_id(context.database, caller.user_id)
    scopes = [str(scope) for scope in Scope if scope != Scope.ADMIN or account.admin]
    return _page(
        request, context, "account.html", status, account=account, csrf=caller.csrf, scopes=scopes,
        tokens=tokens.list_tokens(context.database, account.id), problem=problem, new_token=token,
        sessions=sessions.count_sessions(context.database, account.id), min_password=accounts.MIN_PASSWORD,
        quotas=quota_documents(context.database, QuotaLimits.of(context.settings), context.season_id, caller),
        budgets=context.pipeline.budgets.documents(account.name),
    )  # fmt: skip


async def _problem(request: Request, context: AppState, lines: ConcurrencyLimits, error: ArenaError) -> Response:
    caller = await caller_of(request)
    return await lines.reads.run(request, _account_page, request, context, caller, str(error), "", 422)


@router.post("/account/tokens")
async def make_token(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Make a token and show it, this once."""
    form, caller = await _checked_form(request), await caller_of(request)
    days = str(form.get("days") or "")
    scopes = [str(value) for value in form.getlist("scopes")]
    try:
        token = await lines.writes.run(
            request, _make_token, context, caller, str(form.get("name") or "")[:200], scopes, days
        )
    except (RefusedError, ConflictError) as error:
        return await _problem(request, context, lines, error)
    return await lines.reads.run(request, _account_page, request, context, caller, "", token, 200)


def _make_token(context: AppState, caller: Caller, name: str, scopes: list[str], days: str) -> str:
    if days and not (days.isascii() and days.isdigit() and len(days) < 6):
        raise RefusedError("Days must be a whole number, or empty for ever.")
    account = accounts.user_by_id(context.database, caller.user_id or "")
    token, _ = tokens.make_token(context.database, account, name, scopes, float(days) if days else None)
    return token


@router.post("/account/tokens/{token_id}/revoke")
async def revoke_token(request: Request, token_id: str, context: Ctx, lines: Waiting) -> Response:
    """Revoke a token."""
    await _checked_form(request)
    caller = await caller_of(request)
    await lines.writes.run(request, tokens.revoke_token, context.database, caller.user_id or "", token_id)
    return RedirectResponse("/account", 303)


@router.post("/account/password")
async def set_password(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Set the password; every session ends and this browser gets a new one."""
    form, caller = await _checked_form(request), await caller_of(request)
    address = request.client.host if request.client else ""
    wait = request.app.state.tokens.wait(request.scope)
    if wait is not None:
        # Whoever found an open browser must not find out the password as well.
        return refused(wait)
    try:
        secret = await lines.writes.run(
            request, _set_password, context, caller, str(form.get("current") or ""), str(form.get("password") or ""),
            address,
        )  # fmt: skip
    except RefusedError as error:
        request.app.state.tokens.wrong(request.scope)
        return await _problem(request, context, lines, error)
    answer = RedirectResponse("/account", 303)
    set_cookies(request, answer, secret, sessions.csrf_of(secret))
    return answer


def _set_password(context: AppState, caller: Caller, current: str, password: str, address: str) -> str:
    account = accounts.user_by_id(context.database, caller.user_id or "")
    if account.has_password and accounts.check_password(context.database, account.name, current) is None:
        raise RefusedError("The present password does not fit.")
    accounts.set_password(context.database, account.id, password)
    return sessions.open_session(context.database, account, address)


@router.post("/account/sessions/end")
async def end_sessions(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Sign out everywhere."""
    await _checked_form(request)
    caller = await caller_of(request)
    await lines.writes.run(request, sessions.close_sessions, context.database, caller.user_id or "")
    return RedirectResponse(f"/sign-in?next={quote('/account')}", 303)
