"""Routes about bots: upload, look, prove, pause, resume, retire."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from arena.errors import ArenaError, RefusedError
from arena.people.ownership import author_for
from arena.people.quotas import DailyQuota, QuotaLimits
from arena.people.rights import Caller
from arena.store import curves, queries
from arena.store.snapshots import snapshot_state
from arena.submissions.intake import problem
from arena.web import schemas
from arena.web.access import Known
from arena.web.answers import answer, tagged
from arena.web.behaviour_schemas import BehaviourReportDetail
from arena.web.bundles import Bundles
from arena.web.context import AppState, Chosen, ChosenSeason, Ctx, Waiting
from arena.web.forms import open_form
from arena.web.jobs import job_answer
from arena.web.problems import in_our_words
from arena.web.proofs import ask_for_proof, last_proof
from arena.web.text import json_bytes
from arena.web.views import up_to_date, with_life
from sandbox.language.rules import RULES

router = APIRouter(prefix="/bots", tags=["bots"])

Limit = Annotated[int, Query(ge=1, le=queries.MAX_PAGE)]
Cursor = Annotated[int | None, Query(ge=0, le=queries.MAX_CURSOR)]
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schemas.BotRequest.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object", "required": ["file"], "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "author": {"type": "string"},
                    },
                }
            },
        },
    }
}  # fmt: skip


def bot_document(context: AppState, season: ChosenSeason, bot_id: str) -> dict[str, Any]:
    """Return one bot as the API shows it."""
    row = queries.bot_row(context.database, season.id, bot_id)
    saved = snapshot_state(context.database, season.id, row["bot_id"])
    return {**up_to_date(context, season, row), "snapshot": saved}


@router.post(
    "", status_code=201, response_model=schemas.BotDetail, responses={200: {"model": schemas.BotDetail}},
    # Every route takes this header. It stands here because openapi-python-client writes a module that cannot be
    # imported for a route with several kinds of body and no parameter that may be left out.
    openapi_extra={**_UPLOAD_BODY, "parameters": [
        {"name": "X-Request-ID", "in": "header", "required": False, "schema": {"type": "string"}},
    ]},
)  # fmt: skip
async def upload(request: Request, context: Ctx, lines: Waiting, caller: Known) -> Response:
    """Upload a handwritten bot: JSON `{source}` or a multipart `file`; a source may have 64 KiB."""
    source, author = await _uploaded(request)
    context.refuse_if_closed()
    return await lines.writes.run(request, _admit, context, source, author, caller)


def _admit(context: AppState, source: bytes, given: str, caller: Caller) -> Response:
    document, created = admit(context, source, given, caller)
    headers = {"location": f"/api/v1/bots/{document.bot_id}"}
    return Response(
        json_bytes(document.model_dump()), 201 if created else 200, headers, media_type="application/json"
    )  # fmt: skip


def admit(context: AppState, source: bytes, given: str, caller: Caller) -> tuple[schemas.BotDetail, bool]:
    """Admit a handwritten bot for a caller; return it, and whether it is new."""
    author, owner_id = author_for(context.database, caller, given)
    quota = DailyQuota(context.database, QuotaLimits.of(context.settings))
    quota.take(caller)
    try:
        enrolled, warnings = context.intake.upload(source, author=author, owner_id=owner_id)
    except ArenaError:
        quota.give_back(caller)
        raise
    bot, entry, season = enrolled.bot, enrolled.entry, context.played
    if entry is None:
        shown = bot_document(context, season, bot.id)
    else:
        shown = up_to_date(context, season, queries.new_bot_row(bot, entry))
    if not enrolled.created:
        quota.give_back(caller)
    return schemas.BotDetail.model_validate({**shown, "warnings": warnings}), enrolled.created


async def _uploaded(request: Request) -> tuple[bytes, str]:
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            async with open_form(request, max_files=1, max_fields=4) as form:
                unknown = sorted(set(form) - {"file", "author"})
                if unknown:
                    raise RefusedError(f"The form takes 'file' and 'author'; it does not know '{unknown[0]}'.")
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise RefusedError("Send the bot as the form field 'file'.")
                author = schemas.BotRequest(source="", author=str(form.get("author") or "local")).author
                return await file.read(), author
        body = schemas.BotRequest.model_validate_json(_text(await request.body()))
    except ValidationError as error:
        raise RefusedError(in_our_words(error)) from None
    return body.source.encode("utf-8", "surrogatepass"), body.author


def _text(body: bytes) -> str:
    """Return a JSON body as text; a source in another encoding is refused as a file of it is."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = RULES["source-encoding"]
        sentence = rule.sentence.format(name=error.reason)
        raise RefusedError(sentence, [problem(rule.id, sentence, rule.hint)]) from None


@router.post("/check", response_model=schemas.CheckReport, openapi_extra=_UPLOAD_BODY)
async def check(
    request: Request, context: Ctx, lines: Waiting, *,
    report: Annotated[bool, Query(description="Also try it on made-up markets, which takes a second or two.")] = True,
) -> Response:  # fmt: skip
    """Validate a source without admitting it: JSON `{source}` or a multipart `file`, as for an upload."""
    source, _ = await _uploaded(request)
    return await answer(lines.writes, request, check_source, context, source, tried=report)


def check_source(context: AppState, source: bytes, *, tried: bool) -> schemas.CheckReport:
    """Check a source and admit nothing; `tried`: also on made-up markets."""
    examined = context.intake.check(source)
    plays = tried and examined.accepted
    report = context.intake.behaviour(examined, source.decode("utf-8-sig")).as_dict() if plays else None
    return schemas.CheckReport(
        accepted=examined.accepted,
        violations=[schemas.ViolationItem(**found) for found in examined.violations],
        name=examined.name or None,
        symbols=list(examined.symbols),
        warnings=examined.warnings,
        report=BehaviourReportDetail.model_validate(report) if report is not None else None,
    )


@router.get("", response_model=schemas.BotList)
async def list_bots(
    request: Request, context: Ctx, season: Chosen, lines: Waiting,
    name: Annotated[str | None, Query(max_length=200, description="Only the bot of this name.")] = None,
) -> Response:  # fmt: skip
    """List every bot of the season, the retired included; by `name` find one whose name no address can hold."""
    return await answer(lines.tables, request, _list, context, season, name)


def _list(context: AppState, season: ChosenSeason, name: str | None) -> schemas.BotList:
    if name is None:
        rows = queries.bot_rows(context.database, season.id)
    else:
        rows = [queries.bot_row(context.database, season.id, queries.find_bot(context.database, season.id, name))]
    items = [schemas.BoardItem.model_validate(with_life(context, season, row)) for row in rows]
    return schemas.BotList(items=items)


@router.get("/{bot_id}/source", response_class=PlainTextResponse)
async def source(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return a bot's source."""
    found = await lines.reads.run(request, bot_source, context, season, bot_id)
    return tagged(request, found.encode("utf-8", "replace"), "text/plain; charset=utf-8")


def bot_source(context: AppState, season: ChosenSeason, bot_id: str) -> str:
    """Return the source of a bot given by id or name."""
    return queries.source_of(context.database, queries.find_bot(context.database, season.id, bot_id))


def _page(
    context: AppState, season: ChosenSeason, kind: str, bot_id: str, limit: int, cursor: int | None
) -> dict[str, Any]:
    found = queries.find_bot(context.database, season.id, bot_id)
    items, following = queries.page(
        context.database, queries.TABLES[kind], season.id, bot_id=found, limit=limit, cursor=cursor
    )
    return {"items": items, "next_cursor": following}


def bot_trades(
    context: AppState, season: ChosenSeason, bot_id: str, limit: int, cursor: int | None = None
) -> schemas.TradePage:
    """Return a page of a bot's fills."""
    return schemas.TradePage.model_validate(_page(context, season, "trades", bot_id, limit, cursor))


def bot_orders(
    context: AppState, season: ChosenSeason, bot_id: str, limit: int, cursor: int | None = None
) -> schemas.OrderPage:
    """Return a page of a bot's orders."""
    return schemas.OrderPage.model_validate(_page(context, season, "orders", bot_id, limit, cursor))


def _logs(context: AppState, season: ChosenSeason, bot_id: str, limit: int, cursor: int | None) -> schemas.LogPage:
    return schemas.LogPage.model_validate(_page(context, season, "logs", bot_id, limit, cursor))


@router.get("/{bot_id}/trades", response_model=schemas.TradePage)
async def trades(
    request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting,
    limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Return a bot's fills, newest first."""
    return await answer(lines.tables, request, bot_trades, context, season, bot_id, limit, cursor)


@router.get("/{bot_id}/orders", response_model=schemas.OrderPage)
async def orders(
    request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting,
    limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Return a bot's orders with status and reason, newest first."""
    return await answer(lines.tables, request, bot_orders, context, season, bot_id, limit, cursor)


@router.get("/{bot_id}/logs", response_model=schemas.LogPage)
async def logs(
    request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting,
    limit: Limit = 200, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Return a bot's log, newest first."""
    return await answer(lines.tables, request, _logs, context, season, bot_id, limit, cursor)


@router.get("/{bot_id}/equity", response_model=schemas.EquitySeries)
async def equity(
    request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting,
    limit: Annotated[int, Query(ge=2, le=20_000)] = 2000,
    since: Annotated[float | None, Query(description="Unix seconds; from the first row on if not given.")] = None,
    until: Annotated[float | None, Query(description="Unix seconds; up to the newest row if not given.")] = None,
) -> Response:  # fmt: skip
    """Return a bot's equity over any span, oldest first, in at most `limit` items.

    Up to 10,000 rows, items are rows as recorded. Of more, each item is the last row of a stretch of `resolution`
    seconds, with the first, highest and lowest equity in it.
    """
    return await answer(lines.tables, request, _equity, context, season, bot_id, limit, since, until)


def _equity(
    context: AppState, season: ChosenSeason, bot_id: str, limit: int, since: float | None, until: float | None
) -> schemas.EquitySeries:
    found = queries.find_bot(context.database, season.id, bot_id)
    shown = curves.curve(context.database, season.id, found, limit, since, until)
    return schemas.EquitySeries(
        items=[schemas.EquityPoint.model_validate(row) for row in shown.items],
        points=shown.points, resolution=shown.resolution,
    )  # fmt: skip


@router.get("/{bot_id}/verify", response_model=schemas.ProofReport)
async def proof(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return what the last proof of a bot's record has shown; `POST` asks for one."""
    return await answer(lines.reads, request, _proof, context, season, bot_id)


def _proof(context: AppState, season: ChosenSeason, bot_id: str) -> schemas.ProofReport:
    found = queries.find_bot(context.database, season.id, bot_id)
    return schemas.ProofReport.model_validate(last_proof(context, season.id, found))


@router.post("/{bot_id}/verify", status_code=202, response_model=schemas.JobDetail)
async def verify(
    request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting, caller: Known
) -> Response:
    """Run a bot again on the season's recorded ticks, as a job, and see whether its record comes out."""
    return job_answer(await lines.writes.run(request, ask_to_verify, context, season, bot_id, caller), 202)


def ask_to_verify(context: AppState, season: ChosenSeason, bot_id: str, caller: Caller) -> dict[str, Any]:
    """Return the job that proves the record of a bot given by id or name."""
    return ask_for_proof(context, season, queries.find_bot(context.database, season.id, bot_id), caller.user_id)


@router.get("/{bot_id}/bundle", response_class=Response, responses=_ZIP)
async def bundle(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return everything that proves a bot's record elsewhere, as a ZIP file for `arena verify`."""
    found = await lines.reads.run(request, queries.find_bot, context.database, season.id, bot_id)
    bundles: Bundles = request.app.state.bundles
    return await bundles.answer(request, context, season, found)


@router.get("/{bot_id}", response_model=schemas.BotDetail)
async def show(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Show one bot, given by id or by name."""
    return await answer(lines.reads, request, show_bot, context, season, bot_id)


def show_bot(context: AppState, season: ChosenSeason, bot_id: str) -> schemas.BotDetail:
    """Return a bot given by id or name."""
    found = queries.find_bot(context.database, season.id, bot_id)
    return schemas.BotDetail.model_validate(bot_document(context, season, found))


def change_bot(context: AppState, bot_id: str, what: str) -> schemas.BotDetail:
    """Pause, resume or retire a bot given by id or name."""
    found = queries.find_bot(context.database, context.season_id, bot_id)
    roster = context.engine.roster
    work = {"pause": roster.pause, "resume": roster.resume, "retire": roster.retire}[what]
    context.engine.call(lambda: work(found)).result(timeout=30)
    context.broadcast.publish("status", {})
    return schemas.BotDetail.model_validate(bot_document(context, context.played, found))


@router.post("/{bot_id}/pause", response_model=schemas.BotDetail)
async def pause(request: Request, bot_id: str, context: Ctx, lines: Waiting) -> Response:
    """Stop asking a bot; it stays on the board and is marked."""
    return await answer(lines.writes, request, change_bot, context, bot_id, "pause")


@router.post("/{bot_id}/resume", response_model=schemas.BotDetail)
async def resume(request: Request, bot_id: str, context: Ctx, lines: Waiting) -> Response:
    """Ask a paused bot again."""
    return await answer(lines.writes, request, change_bot, context, bot_id, "resume")


@router.delete("/{bot_id}", status_code=204)
async def retire(request: Request, bot_id: str, context: Ctx, lines: Waiting) -> None:
    """Retire a bot for good; its record stays."""
    await lines.writes.run(request, change_bot, context, bot_id, "retire")
