"""Routes about accounts, tokens, what was done, and honest bots."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from arena.people import accounts, integrity, tokens
from arena.people.activity import list_activity
from arena.people.quotas import QuotaLimits, quota_documents
from arena.people.rights import Caller
from arena.store import queries
from arena.web import schemas
from arena.web import schemas_people as shapes
from arena.web.access import Known
from arena.web.answers import answer
from arena.web.context import AppState, Chosen, ChosenSeason, Ctx, Waiting
from arena.web.routes_bots import bot_document
from arena.web.text import json_bytes

router = APIRouter(tags=["people"])

_JSON = "application/json"
_ONCE = {"cache-control": "no-store"}


# -- the caller


@router.get("/me", response_model=shapes.Me)
async def me(request: Request, context: Ctx, lines: Waiting, caller: Known) -> Response:
    """Say who asks, with which rights, and what is left of their quotas and budgets."""
    return await answer(lines.reads, request, _me, context, caller)


def _me(context: AppState, caller: Caller) -> shapes.Me:
    quotas = quota_documents(context.database, QuotaLimits.of(context.settings), context.season_id, caller)
    author = caller.name if caller.user_id is not None else None
    return shapes.Me(
        name=caller.name, by=caller.by, user_id=caller.user_id, scopes=sorted(caller.scopes), admin=caller.admin,
        accounts=context.settings.accounts, quotas=[shapes.QuotaItem(**one) for one in quotas],
        budgets=context.pipeline.budgets.documents(author),
    )  # fmt: skip


@router.get("/me/tokens", response_model=shapes.TokenList)
async def list_tokens(request: Request, context: Ctx, lines: Waiting, caller: Known) -> Response:
    """List your tokens, newest first."""
    return await answer(lines.reads, request, _tokens, context, caller.user_id or "")


def _tokens(context: AppState, user_id: str) -> shapes.TokenList:
    return shapes.TokenList.model_validate({"items": tokens.list_tokens(context.database, user_id)})


@router.post("/me/tokens", status_code=201, response_model=shapes.NewToken)
async def make_token(
    request: Request, body: shapes.TokenRequest, context: Ctx, lines: Waiting, caller: Known
) -> Response:  # fmt: skip
    """Make a token; it is shown in this answer and never again."""
    return await lines.writes.run(request, _make_token, context, caller.user_id or "", body)


def _make_token(context: AppState, user_id: str, body: shapes.TokenRequest) -> Response:
    account = accounts.user_by_id(context.database, user_id)
    token, row = tokens.make_token(context.database, account, body.name, body.scopes, body.days)
    headers = {**_ONCE, "location": f"/api/v1/me/tokens/{row['id']}"}
    return Response(json_bytes({**row, "token": token}), 201, headers, media_type=_JSON)


@router.delete("/me/tokens/{token_id}", response_model=shapes.TokenItem)
async def revoke_token(request: Request, token_id: str, context: Ctx, lines: Waiting, caller: Known) -> Response:
    """Revoke one of your tokens: it is of no use from now on."""
    row = await lines.writes.run(request, tokens.revoke_token, context.database, caller.user_id or "", token_id)
    return Response(json_bytes(row), media_type=_JSON)


# -- users


@router.get("/users", response_model=shapes.UserList)
async def list_users(request: Request, context: Ctx, lines: Waiting) -> Response:
    """List all users, by name."""
    return await answer(lines.reads, request, _users, context)


def _users(context: AppState) -> shapes.UserList:
    found = accounts.list_users(context.database)
    return shapes.UserList.model_validate({"items": [asdict(one) for one in found]})


@router.post("/users", status_code=201, response_model=shapes.NewUser)
async def add_user(request: Request, body: shapes.UserRequest, context: Ctx, lines: Waiting) -> Response:
    """Add a user; the answer holds a link that signs the user in once."""
    base = str(request.base_url)
    return await lines.writes.run(request, _add_user, context, body, base)


def _add_user(context: AppState, body: shapes.UserRequest, base: str) -> Response:
    account = accounts.add_user(context.database, body.name, admin=body.admin)
    document = {**asdict(account), "link": link_for(context, account.id, base)}
    headers = {**_ONCE, "location": f"/api/v1/users/{account.name}" if account.name.isascii() else "/api/v1/users"}
    return Response(json_bytes(document), 201, headers, media_type=_JSON)


def link_for(context: AppState, user_id: str, base: str) -> str:
    """Return the address that signs a user in once."""
    return f"{base.rstrip('/')}/sign-in?link={accounts.make_link(context.database, user_id)}"


@router.post("/users/{name}/disable", response_model=shapes.UserItem)
async def disable_user(request: Request, name: str, context: Ctx, lines: Waiting) -> Response:
    """Let a user in no more: sessions end, tokens are of no use; the bots go on."""
    return await lines.writes.run(request, _set_disabled, context, name, disabled=True)


@router.post("/users/{name}/enable", response_model=shapes.UserItem)
async def enable_user(request: Request, name: str, context: Ctx, lines: Waiting) -> Response:
    """Let a disabled user in again."""
    return await lines.writes.run(request, _set_disabled, context, name, disabled=False)


def _set_disabled(context: AppState, name: str, *, disabled: bool) -> Response:
    account = accounts.find_user(context.database, name)
    (accounts.disable_user if disabled else accounts.enable_user)(context.database, account.id)
    found = accounts.user_by_id(context.database, account.id)
    return Response(json_bytes(asdict(found)), media_type=_JSON)


@router.post("/users/{name}/link", response_model=shapes.SignInLinkDetail)
async def sign_in_link(request: Request, name: str, context: Ctx, lines: Waiting) -> Response:
    """Make a link that signs a user in once, within a day; those made before are of no more use."""
    return await lines.writes.run(request, _link, context, name, str(request.base_url))


def _link(context: AppState, name: str, base: str) -> Response:
    account = accounts.find_user(context.database, name)
    return Response(json_bytes({"link": link_for(context, account.id, base)}), headers=_ONCE, media_type=_JSON)


# -- what was done


@router.get("/activity", response_model=shapes.ActivityPage)
async def activity(
    request: Request, context: Ctx, lines: Waiting,
    limit: Annotated[int, Query(ge=1, le=queries.MAX_PAGE)] = 100,
    cursor: Annotated[int | None, Query(ge=0, le=queries.MAX_CURSOR)] = None,
    actor: Annotated[str | None, Query(max_length=80, description="Only what this user has done.")] = None,
) -> Response:  # fmt: skip
    """List what was done, by whom, from where and to what, newest first."""
    return await answer(lines.tables, request, _activity, context, limit, cursor, actor)


def _activity(context: AppState, limit: int, cursor: int | None, actor: str | None) -> shapes.ActivityPage:
    rows, following = list_activity(context.database, limit=limit, cursor=cursor, actor=actor)
    return shapes.ActivityPage.model_validate({"items": rows, "next_cursor": following})


# -- honest bots


@router.get("/integrity", response_model=shapes.FlagList)
async def integrity_flags(request: Request, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """List the bots of a season that are one program, or do the same, under several owners."""
    return await answer(lines.tables, request, _season_flags, context, season)


def _season_flags(context: AppState, season: ChosenSeason) -> shapes.FlagList:
    return shapes.FlagList.model_validate({"items": integrity.season_flags(context.database, season.id)})


@router.get("/bots/{bot_id}/integrity", response_model=shapes.FlagList)
async def bot_flags(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return what is to be known of a bot's honesty: who enters the same program, who does the same."""
    return await answer(lines.reads, request, _bot_flags, context, season, bot_id)


def _bot_flags(context: AppState, season: ChosenSeason, bot_id: str) -> shapes.FlagList:
    found = queries.find_bot(context.database, season.id, bot_id)
    return shapes.FlagList.model_validate({"items": integrity.flags_of(context.database, season.id, found)})


@router.post("/bots/{bot_id}/disqualify", response_model=schemas.BotDetail)
async def disqualify(
    request: Request, bot_id: str, body: shapes.DisqualifyRequest, context: Ctx, lines: Waiting
) -> Response:  # fmt: skip
    """Take a bot out of the ranking for good: it is asked no more, and its row stays with the reason."""
    return await answer(lines.writes, request, _disqualify, context, bot_id, body.reason)


@router.delete("/bots/{bot_id}/disqualify", response_model=schemas.BotDetail)
async def take_back(request: Request, bot_id: str, context: Ctx, lines: Waiting) -> Response:
    """Take a disqualification back: the bot stays retired, its program may be entered again."""
    return await answer(lines.writes, request, _disqualify, context, bot_id, None)


def _disqualify(context: AppState, bot_id: str, reason: str | None) -> schemas.BotDetail:
    found = queries.find_bot(context.database, context.season_id, bot_id)
    integrity.disqualify(context.database, context.season_id, found, reason)
    if reason is not None:
        roster = context.engine.roster
        context.engine.call(lambda: roster.retire(found)).result(timeout=30)
    context.engine.roster.changed()
    context.broadcast.publish("status", {})
    document: dict[str, Any] = bot_document(context, context.played, found)
    return schemas.BotDetail.model_validate(document)
