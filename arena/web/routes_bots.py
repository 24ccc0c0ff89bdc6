"""Routes about bots: upload, look, pause, resume, retire."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from arena.errors import RefusedError
from arena.store import queries
from arena.web import proofs, schemas
from arena.web.context import Chosen, ChosenSeason, Context, Ctx
from arena.web.views import up_to_date, with_life

router = APIRouter(prefix="/bots", tags=["bots"])

Limit = Annotated[int, Query(ge=1, le=queries.MAX_PAGE)]
Cursor = Annotated[int | None, Query(ge=0)]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": schemas.Problem},
    409: {"model": schemas.Problem},
    422: {"model": schemas.Problem},
}
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schemas.BotRequest.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object", "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "author": {"type": "string"},
                    },
                }
            },
        },
    }
}  # fmt: skip


def bot_document(context: Context, season: ChosenSeason, bot_id: str) -> dict[str, Any]:
    """Return one bot as the API shows it."""
    row = queries.bot_row(context.database, season.id, bot_id)
    return up_to_date(context, season, row)


@router.post(
    "", status_code=201, response_model=schemas.Bot, responses={**_PROBLEMS, 200: {"model": schemas.Bot}},
    openapi_extra=_UPLOAD_BODY,
)  # fmt: skip
async def upload(request: Request, context: Ctx) -> Response:
    """Upload a handwritten bot: JSON `{source}` or a multipart `file`."""
    source, author = await _uploaded(request)
    return await run_in_threadpool(_admit, context, source, author)


def _admit(context: Context, source: bytes, author: str) -> Response:
    enrolled, warnings = context.intake.upload(source, author=author)
    bot, entry = enrolled.bot, enrolled.entry
    season = context.played
    shown = (
        bot_document(context, season, bot.id)
        if entry is None
        else up_to_date(context, season, queries.new_bot_row(bot, entry))
    )
    document = schemas.Bot.model_validate({**shown, "warnings": warnings})
    headers = {"location": f"/api/v1/bots/{bot.id}"}
    status = 201 if enrolled.created else 200
    return Response(document.model_dump_json(), status, headers, media_type="application/json")


async def _uploaded(request: Request) -> tuple[bytes, str]:
    try:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            async with request.form(max_files=1, max_fields=4) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise RefusedError("Send the bot as the form field 'file'.")
                author = schemas.BotRequest(source="", author=str(form.get("author") or "local")).author
                return await file.read(), author
        body = schemas.BotRequest.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "The body"
        raise RefusedError(f"{where}: {first['msg']}.") from None
    return body.source.encode("utf-8", "surrogatepass"), body.author


@router.post("/check")
def check(body: schemas.CheckRequest, context: Ctx) -> schemas.CheckResult:
    """Validate a source without admitting it."""
    examined = context.intake.check(body.source.encode("utf-8", "surrogatepass"))
    return schemas.CheckResult(
        accepted=examined.accepted,
        violations=[schemas.Violation(**found) for found in examined.violations],
        name=examined.name or None,
        symbols=list(examined.symbols),
        warnings=examined.warnings,
    )


@router.get("")
def list_bots(context: Ctx, season: Chosen) -> schemas.BotList:
    """List every bot of the season, the retired included."""
    rows = queries.bot_rows(context.database, season.id)
    items = [schemas.BoardItem.model_validate(with_life(context, season, row)) for row in rows]
    return schemas.BotList(items=items)


@router.get("/{bot_id:path}/source", response_class=PlainTextResponse, responses=_PROBLEMS)
def source(bot_id: str, context: Ctx, season: Chosen) -> str:
    """Return a bot's source."""
    found = queries.find_bot(context.database, season.id, bot_id)
    return queries.source_of(context.database, found)


def _page(
    context: Context, season: ChosenSeason, kind: str, bot_id: str, limit: int, cursor: int | None
) -> dict[str, Any]:
    found = queries.find_bot(context.database, season.id, bot_id)
    items, following = queries.page(
        context.database,
        queries.TABLES[kind],
        season.id,
        bot_id=found,
        limit=limit,
        cursor=cursor,
    )
    return {"items": items, "next_cursor": following}


@router.get("/{bot_id:path}/trades", responses=_PROBLEMS)
def trades(bot_id: str, context: Ctx, season: Chosen, limit: Limit = 100, cursor: Cursor = None) -> schemas.TradePage:
    """Return a bot's fills, newest first."""
    return schemas.TradePage.model_validate(_page(context, season, "trades", bot_id, limit, cursor))


@router.get("/{bot_id:path}/orders", responses=_PROBLEMS)
def orders(bot_id: str, context: Ctx, season: Chosen, limit: Limit = 100, cursor: Cursor = None) -> schemas.OrderPage:
    """Return a bot's orders with status and reason, newest first."""
    return schemas.OrderPage.model_validate(_page(context, season, "orders", bot_id, limit, cursor))


@router.get("/{bot_id:path}/logs", responses=_PROBLEMS)
def logs(bot_id: str, context: Ctx, season: Chosen, limit: Limit = 200, cursor: Cursor = None) -> schemas.LogPage:
    """Return a bot's log, newest first."""
    return schemas.LogPage.model_validate(_page(context, season, "logs", bot_id, limit, cursor))


@router.get("/{bot_id:path}/equity", responses=_PROBLEMS)
def equity(
    bot_id: str, context: Ctx, season: Chosen, limit: Annotated[int, Query(ge=2, le=20_000)] = 2000
) -> schemas.EquityCurve:
    """Return a bot's equity, oldest first, thinned evenly to at most `limit` points."""
    found = queries.find_bot(context.database, season.id, bot_id)
    rows = queries.equity_curve(context.database, season.id, found, limit)
    return schemas.EquityCurve.model_validate({"items": rows})


@router.get("/{bot_id:path}/verify", responses=_PROBLEMS)
def verify(bot_id: str, context: Ctx) -> schemas.Proof:
    """Run a bot again on the season's recorded ticks and say whether its record comes out."""
    found = queries.find_bot(context.database, context.season_id, bot_id)
    proof = proofs.prove(context, found)
    return schemas.Proof(
        bot_id=found, status=proof.status, tick=proof.tick, compared=proof.compared, findings=proof.findings
    )


@router.get("/{bot_id:path}/bundle", response_class=Response, responses={**_PROBLEMS, **_ZIP})
def bundle(bot_id: str, context: Ctx, season: Chosen) -> Response:
    """Return everything that proves a bot's record elsewhere, as a ZIP file for `arena verify`."""
    found = queries.find_bot(context.database, season.id, bot_id)
    headers = {"content-disposition": f'attachment; filename="arena-{found}.zip"'}
    return Response(proofs.bundle_file(context, season.id, found), media_type="application/zip", headers=headers)


# Names may hold slashes, so this one stands behind the addresses that end in a word.
@router.get("/{bot_id:path}", responses=_PROBLEMS)
def show(bot_id: str, context: Ctx, season: Chosen) -> schemas.Bot:
    """Show one bot, given by id or by name."""
    found = queries.find_bot(context.database, season.id, bot_id)
    return schemas.Bot.model_validate(bot_document(context, season, found))


def _change(context: Context, bot_id: str, what: str) -> dict[str, Any]:
    found = queries.find_bot(context.database, context.season_id, bot_id)
    roster = context.engine.roster
    work = {"pause": roster.pause, "resume": roster.resume, "retire": roster.retire}[what]
    context.engine.call(lambda: work(found)).result(timeout=30)
    context.broadcast.publish("status", {})
    return bot_document(context, context.played, found)


@router.post("/{bot_id:path}/pause", responses=_PROBLEMS)
def pause(bot_id: str, context: Ctx) -> schemas.Bot:
    """Stop asking a bot; it stays on the board and is marked."""
    return schemas.Bot.model_validate(_change(context, bot_id, "pause"))


@router.post("/{bot_id:path}/resume", responses=_PROBLEMS)
def resume(bot_id: str, context: Ctx) -> schemas.Bot:
    """Ask a paused bot again."""
    return schemas.Bot.model_validate(_change(context, bot_id, "resume"))


@router.delete("/{bot_id:path}", status_code=204, responses=_PROBLEMS)
def retire(bot_id: str, context: Ctx) -> None:
    """Retire a bot for good; its record stays."""
    _change(context, bot_id, "retire")
