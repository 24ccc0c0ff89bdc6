"""The tools: each returns a result with the address of its page, flags that change its meaning, and next steps.

Nothing here waits long: what takes time returns the id of a submission or a job, which `wait_job` waits for.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Annotated, Any, Literal, ParamSpec
from urllib.parse import quote

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from arena.client.exchange import JOB_ENDS, SUBMISSION_ENDS
from arena.errors import ArenaError, NotFoundError, RefusedError
from arena.mcp.services import CURRENT, Action, Document, ids

P = ParamSpec("P")
Answer = dict[str, Any]

_LOOK_AGAIN = 0.3  # seconds
_SHOWN_VIOLATIONS = 20
_BOARD = (
    "rank", "bot_id", "name", "author", "status", "equity", "return_pct", "excess_pct", "max_drawdown_pct", "sharpe",
    "trades", "rejected", "errors", "verdict", "tie_first", "tie_last", "verified", "disqualified",
)  # fmt: skip
_EXPLAINED = (
    "bot_id", "tick", "time", "sentence", "line", "code", "order", "conditions", "trade", "without", "logs", "changed",
)  # fmt: skip
_RUNS = ("id", "kind", "status", "progress", "result", "reason")

Bot = Annotated[str, Field(min_length=1, max_length=200, description="Id or name of a bot.")]
SubmissionId = Annotated[str, Field(min_length=1, max_length=100, description="Id of a submission.")]
Source = Annotated[str, Field(description="The whole Python file of a bot, at most 64 KiB.")]
Author = Annotated[str, Field(max_length=80, description="Who hands it in; leave it out where you have an account.")]

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
_DESTROYS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


def add_tools(server: MCPServer[Any]) -> None:
    """Add all tools to a server."""
    tools: list[tuple[ToolAnnotations, tuple[Callable[..., Awaitable[Answer]], ...]]] = [
        (_READS, (get_bot_contract, check_code, wait_job, get_bot, explain_trade, explain_rejection)),
        (_READS, (list_leaderboard, compare_bots, list_seasons)),
        (_ADDS, (submit_strategy, upload_bot, run_backtest, verify_bot)),
        (_DESTROYS, (answer_question, manage_bot)),
    ]
    for hints, works in tools:
        for work in works:
            server.tool(annotations=hints)(_in_words(work))


def _in_words(work: Callable[P, Awaitable[Answer]]) -> Callable[P, Awaitable[Answer]]:
    """Return a tool whose errors are sentences for the model to act on."""

    @wraps(work)
    async def told(*args: P.args, **kwargs: P.kwargs) -> Answer:
        try:
            return await work(*args, **kwargs)
        except ArenaError as error:
            raise ToolError(_sentences(error)) from error

    return told


def _sentences(error: ArenaError) -> str:
    lines = [str(error)]
    if isinstance(error, RefusedError):
        lines += [_violation(one) for one in error.violations[:_SHOWN_VIOLATIONS]]
    return "\n".join(lines)


def _violation(found: Document) -> str:
    return f"line {found['line']}: {found['message']} {found['hint']} [{found['rule']}]".replace("  ", " ")


def _answer(result: Any, page: str, *next_steps: str, flags: Sequence[str] = ()) -> Answer:
    return {
        "result": result, "page": f"{CURRENT.get().url}{page}", "flags": list(flags), "next_steps": list(next_steps)
    }  # fmt: skip


def _bot_page(bot: Document) -> str:
    return f"/bots/{quote(bot['bot_id'], safe='')}"


# -- writing a bot


async def get_bot_contract() -> Answer:
    """Read what a bot must be, before writing one: the contract, this season's symbols and rules, and an example."""
    return _answer(
        await CURRENT.get().contract(), "/",
        "Write the file and call check_code, or describe the strategy in words and call submit_strategy.",
    )  # fmt: skip


async def check_code(
    source: Source,
    report: Annotated[bool, Field(description="Also try it on made-up markets, which takes a second or two.")] = True,  # noqa: FBT002 - named by the caller
) -> Answer:
    """Check a bot's source against the language rules and try it on made-up markets. Nothing is admitted."""
    found = await CURRENT.get().check(source, report=report)
    if not found["accepted"]:
        return _answer(
            found, "/", "Mend the lines that are named and call check_code again.", flags=["not accepted"]
        )  # fmt: skip
    notes = (found["report"] or {}).get("findings", [])
    unmet = [f"not met: {one['message']}" for one in notes if one["outcome"] == "not met"]
    return _answer(found, "/", "Call upload_bot with the same source.", flags=[*found["warnings"], *unmet])


async def submit_strategy(
    prompt: Annotated[str, Field(min_length=1, max_length=20_000, description="The strategy in plain words.")],
    name: Annotated[str | None, Field(max_length=80, description="Name of the bot; else its writer chooses.")] = None,
    models: Annotated[
        list[str], Field(max_length=10, description="Models of the server that write it; none: its usual one.")
    ] = [],  # noqa: B006 - never changed; the schema shows it
    samples: Annotated[int, Field(ge=1, le=10, description="Bots per model.")] = 1,
    keep: Annotated[
        Literal["one", "all"], Field(description="Of several: one of those that do the same, or all.")
    ] = "one",
    author: Author = "local",
) -> Answer:
    """Hand in a strategy in plain words: a model of the server writes the bot, which is checked, tried and admitted."""
    wanted = {"prompt": prompt, "name": name, "models": models, "samples": samples, "keep": keep, "author": author}
    made = await CURRENT.get().submit(wanted)
    steps = [f"Call wait_job with id {one}." for one in ids(made)]
    if len(made) > 1 and keep == "one":
        steps.append("Once all have ended, call answer_question: it may ask which of their ways is meant.")
    shown = [{name: one[name] for name in ("id", "model", "status")} for one in made]
    return _answer({"submissions": shown}, f"/submissions/{made[0]['id']}", *steps)


async def answer_question(
    submission_id: SubmissionId,
    choice: Annotated[int | None, Field(ge=1, description="Number of the choice; none shows the question.")] = None,
) -> Answer:
    """Show what tells several samples of a strategy apart, or answer it: the other samples are retired for good."""
    services = CURRENT.get()
    found = await (services.question(submission_id) if choice is None else services.answer(submission_id, choice))
    open_ = found["question"] is not None and found["chosen"] is None
    step = "Ask the person whose strategy it is, then call answer_question with the choice." if open_ else (
        "Call list_leaderboard to see how its bot does."
    )  # fmt: skip
    return _answer(found, f"/submissions/{submission_id}", step, flags=["not answered yet"] if open_ else [])


async def upload_bot(source: Source, author: Author = "local") -> Answer:
    """Admit a handwritten bot: it is checked, tried, and plays from the next tick on."""
    bot = await CURRENT.get().upload(source, author)
    return _answer(
        {name: bot[name] for name in ("bot_id", "name", "author", "status", "symbols", "admitted_tick")},
        _bot_page(bot), f"Call get_bot with {bot['bot_id']} after some ticks.", flags=bot["warnings"],
    )  # fmt: skip


# -- long work


async def wait_job(
    id: Annotated[str, Field(min_length=1, max_length=100, description="Id of a submission or a job.")],  # noqa: A002 - as the tools' answers call it
    seconds: Annotated[float, Field(ge=0, le=45, description="How long to wait at most.")] = 30,
) -> Answer:
    """Wait until a submission or a job has ended, at most 45 seconds; call it again where it has not."""
    end = time.monotonic() + seconds
    while True:
        found, is_job = await _work(id)
        if found["status"] in (JOB_ENDS if is_job else SUBMISSION_ENDS):
            break
        if time.monotonic() >= end:
            page = "/" if is_job else f"/submissions/{id}"
            return _answer(
                _shown(found, is_job=is_job), page, f"Call wait_job with id {id} again.", flags=["not ended yet"]
            )
        await anyio.sleep(min(_LOOK_AGAIN, max(0.0, end - time.monotonic())))
    return await (_of_job(found) if is_job else _of_submission(found))


async def _work(name: str) -> tuple[Document, bool]:
    """Return a submission or a job, and whether it is a job; NotFoundError where it is neither."""
    services = CURRENT.get()
    try:
        return await services.submission(name), False
    except NotFoundError:
        try:
            return await services.job(name), True
        except NotFoundError:
            raise NotFoundError("There is no submission and no job of this id.") from None


def _shown(found: Document, *, is_job: bool) -> Document:
    if is_job:
        return {name: found[name] for name in _RUNS}
    last = (found["attempts"] or [{}])[-1]
    shown = {name: found[name] for name in ("id", "status", "reason", "bot_id", "model", "name")}
    return {**shown, "attempts": len(found["attempts"]), "violations": last.get("violations", [])[:_SHOWN_VIOLATIONS]}


async def _of_submission(found: Document) -> Answer:
    shown = _shown(found, is_job=False)
    if found["bot_id"] is not None and found["status"] == "admitted":
        return _answer(shown, f"/bots/{found['bot_id']}", f"Call get_bot with {found['bot_id']} after some ticks.")
    return _answer(
        shown, f"/submissions/{found['id']}", f"Call explain_rejection with submission_id {found['id']}.",
        flags=[f"{found['status']}: {found['reason'] or 'no reason is known'}"],
    )  # fmt: skip


async def _of_job(found: Document) -> Answer:
    shown, run = _shown(found, is_job=True), (found["result"] or {}).get("run")
    flags = [] if found["status"] == "done" else [f"{found['status']}: {found['reason'] or 'no reason is known'}"]
    if run is not None:
        kept = await CURRENT.get().backtest_run(run)
        shown["result"] = kept["report"]
        return _answer(shown, f"/backtests/{run}", flags=flags)
    bot = found["inputs"].get("bot_id")
    return _answer(shown, f"/bots/{bot}" if bot else "/", flags=flags)


# -- looking


async def get_bot(
    bot: Bot,
    source: Annotated[bool, Field(description="Also return its program.")] = False,  # noqa: FBT002 - named by the caller
    trades: Annotated[int, Field(ge=0, le=100, description="So many of its newest trades.")] = 5,
) -> Answer:
    """Look at one bot: its account, its rank and what that means, its newest trades."""
    services = CURRENT.get()
    found = await services.bot(bot)
    shown = dict(found)
    if trades:
        shown["newest_trades"] = await services.trades(found["bot_id"], trades)
    if source:
        shown["source"] = await services.source(found["bot_id"])
    steps = []
    if shown.get("newest_trades"):
        steps.append(f"Call explain_trade with trade {shown['newest_trades'][0]['id']} to see why it traded.")
    if found["rejected"]:
        steps.append("Call explain_rejection with this bot to see why orders were rejected.")
    return _answer(shown, _bot_page(found), *steps, flags=_flags(found))


def _flags(bot: Document) -> list[str]:
    """Return what changes the meaning of a bot's figures."""
    flags = [str(bot["note"])] if bot.get("note") else []
    if bot["status"] not in {"active", "retired"}:
        flags.append(f"{bot['status']}: {bot.get('reason') or bot.get('last_error') or 'no reason is known'}")
    if bot["disqualified"]:
        flags.append(f"disqualified: {bot['disqualified']}")
    if bot["verified"] == "differs":
        flags.append("its record did not come out again when it was run again")
    first, last = bot["tie_first"], bot["tie_last"]
    if first is not None and last is not None and last > first:
        flags.append(f"cannot be told apart yet from the bots of ranks {first} to {last}")
    if bot["rank"] is None:
        flags.append("not ranked")
    return flags


async def explain_trade(
    bot: Bot,
    trade: Annotated[int | None, Field(ge=0, description="Id of a trade; none takes the newest.")] = None,
    tick: Annotated[int | None, Field(ge=0, description="A tick instead, also one without a trade.")] = None,
) -> Answer:
    """Say why a bot traded, or why it did not at a tick: the line, the conditions with values, what it brought."""
    services = CURRENT.get()
    if trade is not None and tick is not None:
        raise ArenaError("Name a trade or a tick, not both.")
    if tick is not None:
        found = await services.explain_tick(bot, tick)
    else:
        if trade is None:
            newest = await services.trades(bot, 1)
            if not newest:
                raise NotFoundError("The bot has no trade yet: name a tick, and it is said why it did not trade there.")
            trade = newest[0]["id"]
        found = await services.explain_trade(bot, trade)
    return _answer({name: found[name] for name in _EXPLAINED}, _bot_page(found))


async def explain_rejection(
    submission_id: Annotated[str | None, Field(max_length=100, description="A submission that was rejected.")] = None,
    bot: Annotated[str | None, Field(max_length=200, description="A bot whose orders were rejected.")] = None,
) -> Answer:
    """Say why a strategy was not admitted, line by line, or why orders of a bot were rejected."""
    if (submission_id is None) == (bot is None):
        raise ArenaError("Name a submission_id or a bot.")
    services = CURRENT.get()
    if bot is not None:
        found = await services.bot(bot)
        orders = [one for one in await services.orders(found["bot_id"], 500) if one["status"] == "rejected"]
        reasons = {one["reason"] or "no reason is known" for one in orders}
        counted = [{"reason": one, "orders": sum(each["reason"] == one for each in orders)} for one in sorted(reasons)]
        return _answer(
            {"bot_id": found["bot_id"], "of_the_newest_500_orders": counted, "newest": orders[:10]}, _bot_page(found),
            flags=[] if orders else ["none of its newest 500 orders was rejected"],
        )  # fmt: skip
    assert submission_id is not None
    found = await services.submission(submission_id)
    attempts = [
        {
            "n": one["n"], "model": one["model"], "error": one["error"], "source": one["source"],
            "violations": [_violation(each) for each in one["violations"][:_SHOWN_VIOLATIONS]],
        }
        for one in found["attempts"]
    ]  # fmt: skip
    flags = [] if found["status"] in {"rejected", "failed"} else [f"it is {found['status']}, not rejected"]
    steps = [] if flags else ["Mend the last source and call check_code, then upload_bot; or say the strategy anew."]
    shown = {"id": found["id"], "status": found["status"], "reason": found["reason"], "attempts": attempts[-2:]}
    return _answer(shown, f"/submissions/{found['id']}", *steps, flags=flags)


async def list_leaderboard(
    sort: Annotated[str, Field(max_length=40, description="Column to sort by.")] = "rank",
    order: Literal["asc", "desc"] = "asc",
    limit: Annotated[int, Field(ge=1, le=200)] = 20,
    season: Annotated[
        int | None, Field(ge=1, le=10**9, description="Number of a past season; none: the present one.")
    ] = None,
) -> Answer:
    """List the ranked bots with what their ranks mean."""
    board = await CURRENT.get().leaderboard(sort, order, limit, season)
    rows = [{name: row[name] for name in _BOARD} for row in board["items"]]
    summary = board["summary"] or {}
    number, status = board["season"]["number"], board["season"]["status"]
    shown = {"season": number, "as_of": board["as_of"], "benchmark": summary.get("benchmark"), "bots": rows}
    flags = [summary["separation"]] if summary.get("separation") else ["no snapshot yet: figures are missing"]
    if status != "open":
        flags.append(f"season {number} is {status}")
    if board["next_cursor"] is not None:
        flags.append(f"these are the first {len(rows)}; there are more")
    return _answer(shown, "/", "Call get_bot or compare_bots for more about some of them.", flags=flags)


async def compare_bots(
    bots: Annotated[list[str], Field(min_length=2, max_length=8, description="Ids or names of bots.")],
) -> Answer:
    """Put several bots side by side and say which of them cannot be told apart by their results yet."""
    services = CURRENT.get()
    found = [await services.bot(one) for one in dict.fromkeys(bots)]
    rows = [{name: row[name] for name in (*_BOARD, "turnover", "exposure_pct", "fees")} for row in found]
    alike = [
        f"{one['name']} and {other['name']} cannot be told apart yet"
        for one, other in itertools.combinations(found, 2) if _tied(one, other)
    ]  # fmt: skip
    flags = [f"{row['name']}: {flag}" for row in found for flag in _flags(row) if "told apart" not in flag]
    page = f"/compare?bots={','.join(row['bot_id'] for row in found)}"
    return _answer({"bots": rows, "not_told_apart": alike}, page, flags=[*alike, *flags])


def _tied(one: Document, other: Document) -> bool:
    if one["rank"] is None or other["rank"] is None or one["tie_first"] is None:
        return False
    return bool(one["tie_first"] <= other["rank"] <= one["tie_last"])


async def list_seasons() -> Answer:
    """List the seasons with market, rules and dates, newest first."""
    names = (
        "number", "status", "feed", "symbols", "interval", "starting_cash", "fee_bps", "slippage_bps", "delay_ticks",
        "opened_at",
        "closed_at", "starts_at", "ends_at", "entry_deadline",
    )  # fmt: skip
    rows = [{name: row[name] for name in names} for row in await CURRENT.get().seasons()]
    return _answer({"seasons": rows}, "/", "Call list_leaderboard with a season's number to see how it ended.")


# -- asking for work


async def run_backtest(
    bots: Annotated[list[str], Field(min_length=1, max_length=8, description="Ids or names of bots of the season.")],
    tape: Annotated[str | None, Field(max_length=300, description="A market file; none: list them.")] = None,
    fee_bps: Annotated[float | None, Field(ge=0, le=1000, description="Else the season's.")] = None,
    slippage_bps: Annotated[float | None, Field(ge=0, le=1000, description="Else the season's.")] = None,
    delay_ticks: Annotated[int | None, Field(ge=1, description="Ticks to a fill; else the season's.")] = None,
    starting_cash: Annotated[float | None, Field(gt=0, le=1e12, description="Else the season's.")] = None,
    interval: Annotated[float | None, Field(gt=0, description="Seconds a tick; else the file's.")] = None,
    seed: Annotated[int, Field(ge=0, description="Seed of the bots' chance.")] = 0,
) -> Answer:
    """Play bots over a market file of the server; returns a job. Without a file, list the files there are."""
    services = CURRENT.get()
    if tape is None:
        tapes = await services.tapes()
        step = "Call run_backtest with one of these as tape." if tapes else "Ask the operator for a market file."
        return _answer({"tapes": tapes}, "/backtest", step, flags=["nothing was played: no tape is named"])
    given = {
        "fee_bps": fee_bps, "slippage_bps": slippage_bps, "delay_ticks": delay_ticks,
        "starting_cash": starting_cash, "interval": interval,
    }  # fmt: skip
    wanted = {"bots": bots, "tape": tape, "seed": seed, **{k: v for k, v in given.items() if v is not None}}
    made = await services.backtest(wanted)
    flags = ["a backtest is no proof: its market is known"]
    if made["job_id"] is None:
        kept = await services.backtest_run(made["id"])
        return _answer({"id": made["id"], "report": kept["report"]}, made["address"], flags=flags)
    return _answer(
        {"job_id": made["job_id"], "run": made["id"]}, made["address"], f"Call wait_job with id {made['job_id']}.",
        flags=flags,
    )  # fmt: skip


async def verify_bot(bot: Bot) -> Answer:
    """Prove a bot's record by running it again on the recorded ticks; returns a job."""
    job = await CURRENT.get().verify(bot)
    return _answer(
        {"job_id": job["id"], "status": job["status"]}, f"/bots/{job['inputs']['bot_id']}",
        f"Call wait_job with id {job['id']}.",
    )  # fmt: skip


async def manage_bot(bot: Bot, action: Action) -> Answer:
    """Pause or resume a bot, or retire it for good: a retired bot never plays again. Ask the owner before retiring."""
    found = await CURRENT.get().change(bot, action)
    return _answer({name: found[name] for name in ("bot_id", "name", "status")}, _bot_page(found))
