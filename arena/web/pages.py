"""The pages: each has an address, and is whole and readable before any script runs."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, ParamSpec

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from arena import __version__
from arena.engine.backtest.kept import BY_PAGE, title
from arena.errors import ArenaError, NotFoundError
from arena.people.integrity import flags_of
from arena.store import queries
from arena.web.assets import HERE
from arena.web.backtest_page import template_values
from arena.web.backtests import kept_run, runs_of, tapes_of, unkept_job
from arena.web.context import SEASON_NUMBERS, AppState, Chosen, ChosenSeason, Ctx, Waiting
from arena.web.formats import FILTERS, bps, code_lines, duration, number
from arena.web.limits import ConcurrencyLimits
from arena.web.robustness import last_robustness
from arena.web.season_files import FILES as SEASON_FILES
from arena.web.season_files import report_at_hand
from arena.web.security import MAX_TAPE_BODY
from arena.web.tournaments import head_of, kept_tournament, kept_tournaments
from arena.web.tournaments import unkept_job as unkept_tournament_job
from arena.web.views import up_to_date, with_life

P = ParamSpec("P")
Values = dict[str, Any]

MAX_COMPARED = 8
_FIRST_ROWS = 50  # of the board, drawn by the server
_WRITER_NOTES = ("No model is configured", "Bots are written by the model")
_MARKETS = {
    "synthetic": ("made-up prices", "Prices are made up by a random process; they are no real market's."),
    "replay": ("replayed prices", "Recorded prices are played again."),
}
_TIER_WORDS = (
    ("calm", "small steps without a direction"), ("trend", "a drift one way"), ("jumps", "now and then a large step"),
    ("crash", "a fall of 15 to 35 %, of which a third comes back"), ("halt", "times in which nothing can trade"),
    ("whipsaw", "turns that a follower of trends pays for"), ("thin", "prices that come seldom"),
)  # fmt: skip
_EXAMPLE = """NAME = "Dip Buyer"
SYMBOLS = ["BTCUSDT"]

anchor = None


def on_tick(ctx, tick):
    global anchor
    price = ctx.get_price("BTCUSDT")
    if price is None:
        return
    anchor = price if anchor is None else anchor
    held = ctx.get_position("BTCUSDT")
    if held == 0 and price < anchor * 0.999:
        ctx.log(f"0.1 % below {anchor:.2f}")
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif held > 0 and price > anchor * 1.001:
        ctx.submit_order("BTCUSDT", "SELL", held)
        anchor = price
"""

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(HERE / "templates")
templates.env.filters.update(FILTERS)
templates.env.trim_blocks = templates.env.lstrip_blocks = True


def install(app: FastAPI) -> None:
    """Add the pages."""
    app.include_router(router)


# -- what every page shows


def _frame(context: AppState, season: ChosenSeason | None = None) -> Values:
    """Return what the frame around every page shows: the season, the state of the clock, and notices."""
    status = context.status()
    past = season is not None and not season.played
    shown = queries.season_row(context.database, season.id) if season is not None else status["season"]
    told = {shown["feed_note"], *status["isolation"]["notes"]}
    notes = [note for note in status["notes"] if note not in told and not note.startswith(_WRITER_NOTES)]
    if status["isolation"]["level"] != "A":
        notes.append("Bots are not locked in by every layer here; the operator's log says which one is missing.")
    return {
        "version": __version__,
        "source_bytes": context.settings.limits.source_bytes,
        "accounts": context.settings.accounts,
        "token_required": bool(context.settings.arena_token.get_secret_value()),
        "status": status,
        "practice_url": context.settings.practice_url,
        "ranked_url": context.settings.ranked_url,
        "state": "" if past else status["state"],
        "season": shown,
        "season_number": shown["number"] if past else None,
        "season_line": _season_line(shown),
        "past": past,
        "notes": [] if past else notes,
        "market_kind": next((kind for start, (kind, _) in _MARKETS.items() if shown["feed"].startswith(start)), ""),
        "market_title": next((text for start, (_, text) in _MARKETS.items() if shown["feed"].startswith(start)), ""),
    }


def page_values(context: AppState) -> Values:
    """Return what the frame around a page of another module shows."""
    return _frame(context)


def _season_line(season: Values) -> str:
    fees = "no fees" if season["fee_bps"] == 0 else f"fees {bps(season['fee_bps'])}"
    return (
        f"{season['feed'].replace(',', ', ')} market, a tick every {duration(season['interval'])}, "
        f"start {number(season['starting_cash'], 0)}, {fees}, isolation level {season['isolation']}"
    )


async def _page(
    lines: ConcurrencyLimits,
    request: Request,
    context: AppState,
    template: str,
    work: Callable[Concatenate[AppState, P], Values],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response:
    """Return a template filled with what `work` finds; both are done in line, off the event loop."""

    def rendered() -> Response:
        try:
            values = work(context, *args, **kwargs)
        except NotFoundError as error:
            return error_page(request, 404, str(error))
        return templates.TemplateResponse(request, template, values)

    return await lines.reads.run(request, rendered)


def error_page(request: Request, status: int, sentence: str) -> Response:
    """Return a page that says what is not there and where to go."""
    context: AppState = request.app.state.context
    try:
        values = _frame(context)
    except ArenaError:
        return HTMLResponse("<!doctype html><title>Arena</title><p>The arena is not ready.</p>", status)
    values |= {"heading": "There is nothing here" if status == 404 else "That did not work", "sentence": sentence}
    return templates.TemplateResponse(request, "missing.html", values, status)


# -- board


@router.get("/", response_class=HTMLResponse)
async def board(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Show the board of the season that is played."""
    return await _page(lines, request, context, "board.html", _board, None)


def _board(context: AppState, number_of_season: int | None) -> Values:
    season = context.played
    if number_of_season is not None:
        found = queries.season_by_number(context.database, number_of_season)
        season = ChosenSeason(found["id"], played=found["id"] == context.season_id, named=True)
    rows = queries.board(context.database, season.id)
    bots = [with_life(context, season, row) for row in rows[:_FIRST_ROWS]]
    return {**_frame(context, season), "bots": bots, "count": len(rows)}


@router.get("/seasons/{number}", response_class=HTMLResponse)
async def season(
    request: Request, number: Annotated[int, Path(ge=1, le=SEASON_NUMBERS)], context: Ctx, lines: Waiting
) -> Response:
    """Show one season: its rules and its board as it ended."""
    return await _page(lines, request, context, "season.html", _season, number)


def _season(context: AppState, number_of_season: int) -> Values:
    values = _board(context, number_of_season)
    shown = queries.season_by_number(context.database, number_of_season)
    last = queries.last_tick(context.database, shown["id"])
    return {
        **values, "shown": shown, "last_tick": last, "files": SEASON_FILES,
        "report": report_at_hand(context, shown, values["count"]),
    }  # fmt: skip


@router.get("/seasons", response_class=HTMLResponse)
async def seasons(request: Request, context: Ctx, lines: Waiting) -> Response:
    """List the seasons."""
    return await _page(lines, request, context, "seasons.html", _seasons)


def _seasons(context: AppState) -> Values:
    return {**_frame(context), "seasons": queries.season_rows(context.database)}


# -- one bot


@router.get("/bots", response_class=HTMLResponse)
async def bot_by_name(request: Request, context: Ctx, lines: Waiting, name: str = "") -> Response:
    """Lead to the bot of a name, which may hold what an address cannot."""

    def found() -> Response:
        try:
            bot = queries.find_bot(context.database, context.season_id, name)
        except NotFoundError as error:
            return error_page(request, 404, str(error))
        return RedirectResponse(f"/bots/{bot}", 303)

    return await lines.reads.run(request, found)


@router.get("/bots/{bot_id}", response_class=HTMLResponse)
async def bot(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Show one bot, given by id or by name."""
    return await _page(lines, request, context, "bot.html", _bot, season, bot_id)


def _bot(context: AppState, season: ChosenSeason, bot_id: str) -> Values:
    found = queries.find_bot(context.database, season.id, bot_id)
    shown = up_to_date(context, season, queries.bot_row(context.database, season.id, found))
    versions = queries.versions(context.database, found)
    source = next(version["source"] for version in versions if version["id"] == found)
    return {
        **_frame(context, season),
        "bot": shown,
        "source": code_lines(source),
        "robust": last_robustness(context, season.id, found),
        "versions": _with_diffs(versions),
        "flags": flags_of(context.database, season.id, found),
    }


def _with_diffs(versions: list[Values]) -> list[Values]:
    """Return versions newest first, each with its changes against the one before."""
    shown = [
        {**version, "diff": _diff(before["source"], version["source"])}
        for before, version in itertools.pairwise(versions)
    ]
    return [*reversed(shown), {**versions[0], "diff": []}]


def _diff(before: str, after: str) -> list[tuple[str, str]]:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3))[2:]
    return [(kinds.get(line[:1], "same"), line) for line in lines]


# -- sending


@router.get("/submit", response_class=HTMLResponse)
async def submit(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Show the two ways to send a bot: in words, or as a program."""
    return await _page(lines, request, context, "submit.html", _frame)


@router.get("/submissions/{submission_id}", response_class=HTMLResponse)
async def submission(request: Request, submission_id: str, context: Ctx, lines: Waiting) -> Response:
    """Show how words become a bot."""
    return await _page(lines, request, context, "submission.html", _submission, submission_id)


def _submission(context: AppState, submission_id: str) -> Values:
    return {"submission": context.desk.document(submission_id), **_frame(context)}


# -- comparison, market, learning


@router.get("/compare", response_class=HTMLResponse)
async def compare(
    request: Request, context: Ctx, lines: Waiting, bots: Annotated[str, Query(max_length=2000)] = ""
) -> Response:
    """Compare up to eight bots, given by ids or names with commas between."""
    return await _page(lines, request, context, "compare.html", _compare, bots)


def _compare(context: AppState, wanted: str) -> Values:
    board = [with_life(context, context.played, row) for row in queries.board(context.database, context.season_id)]
    names = list(dict.fromkeys(part.strip() for part in wanted.split(",") if part.strip()))
    problems = [f"Eight bots can be compared at once; {len(names) - MAX_COMPARED} were left out."]
    problems = problems if len(names) > MAX_COMPARED else []
    known = {row["bot_id"]: row for row in board}
    chosen: dict[str, Values] = {}
    for name in names[:MAX_COMPARED]:
        try:
            found = queries.find_bot(context.database, context.season_id, name)
            chosen[found] = known.get(found) or queries.bot_row(context.database, context.season_id, found)
        except NotFoundError as error:
            problems.append(str(error))
    return {**_frame(context), "bots": board, "chosen": list(chosen.values()), "problems": problems}


@router.get("/backtest", response_class=HTMLResponse)
async def backtest(
    request: Request, context: Ctx, lines: Waiting, bots: Annotated[str, Query(max_length=2000)] = ""
) -> Response:
    """Show what a backtest can be made of, and those that were kept; bots may be chosen by the address."""
    return await _page(lines, request, context, "backtest.html", _backtest, bots)


def _backtest(context: AppState, wanted: str) -> Values:
    rows = [row for row in queries.board(context.database, context.season_id) if row["status"] != "retired"]
    return {
        **_frame(context), "bots": rows, "wanted": [part.strip() for part in wanted.split(",")],
        "delay_ticks": context.engine.rules.delay_ticks,
        "tapes": tapes_of(context).items(), "data_dir": context.settings.data_dir, "upload_mib": MAX_TAPE_BODY >> 20,
        "runs": [_run_row(head) for head in runs_of(context).heads(BY_PAGE)[:_FIRST_ROWS]],
    }  # fmt: skip


def _run_row(head: Values) -> Values:
    report = head["report"]
    returns = [bot["metrics"]["return_pct"] for bot in report["bots"] if bot["metrics"]]
    return {
        "id": head["id"], "created_at": head["created_at"], "ticks": report["ticks"], "tapes": list(head["markets"]),
        "bots": [title(bot) for bot in report["bots"]], "best": max(returns, default=None),
    }  # fmt: skip


@router.get("/backtests/{run_id}", response_class=HTMLResponse)
async def backtest_run(request: Request, run_id: str, context: Ctx, lines: Waiting) -> Response:
    """Show a backtest: how far it is, and once it is done, what came out."""
    return await _page(lines, request, context, "backtest_run.html", _backtest_run, run_id)


def _backtest_run(context: AppState, run_id: str) -> Values:
    frame = _frame(context)
    job = unkept_job(context, run_id)
    if job is not None:
        return {**frame, "job": job, "run_id": run_id}
    head = kept_run(context, run_id)
    # The page's own frame has a version and a season; what the run shows stands beside them.
    shown = template_values(runs_of(context).page(head["id"]))
    return {**shown, **frame, "run_id": run_id}


@router.get("/tournaments", response_class=HTMLResponse)
async def tournaments(
    request: Request, context: Ctx, lines: Waiting, bots: Annotated[str, Query(max_length=2000)] = ""
) -> Response:
    """Show what a tournament can be made of, and those that were kept; bots may be chosen by the address."""
    return await _page(lines, request, context, "tournaments.html", _tournaments, bots)


def _tournaments(context: AppState, wanted: str) -> Values:
    rows = [row for row in queries.board(context.database, context.season_id) if row["status"] != "retired"]
    return {
        **_frame(context), "bots": rows, "wanted": [part.strip() for part in wanted.split(",")],
        "delay_ticks": context.engine.rules.delay_ticks,
        "tapes": tapes_of(context).items(), "tiers": _TIER_WORDS,
        "kept": [head_of(each) for each in kept_tournaments(context)[:_FIRST_ROWS]],
    }  # fmt: skip


@router.get("/tournaments/{tournament_id}", response_class=HTMLResponse)
async def tournament(request: Request, tournament_id: str, context: Ctx, lines: Waiting) -> Response:
    """Show a tournament: how far it is, and once it is done, what came out."""
    return await _page(lines, request, context, "tournament.html", _tournament, tournament_id)


def _tournament(context: AppState, tournament_id: str) -> Values:
    frame = _frame(context)
    job = unkept_tournament_job(context, tournament_id)
    if job is not None:
        return {**frame, "job": job}
    found = kept_tournament(context, tournament_id)
    table = found["report"]["table"]
    bands = list(dict.fromkeys(band for row in table for band in row["bands"]))
    return {**found, **frame, "bands": bands, **_spans(table)}


def _spans(table: list[Values]) -> Values:
    """Return where the intervals are drawn in 160 units of width, by file, and where nought is."""
    known = [row for row in table if row["difference_low_pct"] is not None]
    most = max((max(abs(row["difference_low_pct"]), abs(row["difference_high_pct"])) for row in known), default=0.0)

    def place(value: float) -> float:
        return round(80.0 + 72.0 * value / (most or 1.0), 1)

    columns = ("difference_low_pct", "mean_difference_pct", "difference_high_pct")
    return {"spans": {row["file"]: [place(row[name]) for name in columns] for row in known}, "zero": 80}


@router.get("/market", response_class=HTMLResponse)
async def market(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Show prices, feeds and the clock."""
    return await _page(lines, request, context, "market.html", _market)


def _market(context: AppState) -> Values:
    frame = _frame(context)
    feed = frame["season"]["feed"]
    words = frame["market_title"] or f"Live prices of {feed.replace(',', ', ')}."
    note = frame["season"]["feed_note"]
    # A note that only says the same again is left out.
    note = "" if note.startswith("Prices are made up: ") else note
    return {**frame, "prices": context.engine.market.prices, "market_words": f"{words} {note}".strip()}


@router.get("/learn", response_class=HTMLResponse)
async def learn(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Explain how a bot is made and what the figures mean."""
    return await _page(lines, request, context, "learn.html", _learn)


def _learn(context: AppState) -> Values:
    return {**_frame(context), "example": code_lines(_EXAMPLE)}
