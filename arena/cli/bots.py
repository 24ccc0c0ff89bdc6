"""`arena bots ...`: look at bots and change them, on a running server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena.cli.output import cell, complain, console, errors, plural, print_json, print_table, source_text
from arena.cli.remote import AsJson, Url, connected
from arena.core.text import clean_text

if TYPE_CHECKING:
    from arena.client.documents import BotDocument, LogRow

app = typer.Typer(help="Bots on a running server, by id or by name.", no_args_is_help=True)

Bot = Annotated[str, typer.Argument(help="Id or name, in large or small letters.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Rows.")]


@app.command("list")
def list_bots(as_json: AsJson = False, url: Url = "") -> None:
    """List every bot of the season, the retired included."""
    with connected(url) as arena:
        found = arena.bots().document
    if as_json:
        print_json(found)
        return
    columns = (
        ("name", "BOT"), ("author", "AUTHOR"), ("origin", "FROM"), ("model", "MODEL"),
        ("status", "STATUS"), ("equity", "EQUITY"), ("trades", "TRADES"), ("bot_id", "ID"),
    )  # fmt: skip
    print_table(columns, found["items"], optional=("equity", "trades", "author", "model"))


@app.command()
def show(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Show one bot."""
    with connected(url) as arena:
        found = arena.bot(bot)
    if as_json:
        print_json(found)
        return
    told = [(label, _told(name, found.get(name), unit)) for name, (label, unit) in SHOWN.items()]
    width = max(len(label) for label, text in told if text)
    indent = " " * (width + 2)
    for label, text in told:
        if text:
            lines = text.replace("\n", f"\n{indent}")
            console.print(f"{label:<{width}}  {lines}", soft_wrap=not console.file.isatty(), highlight=False)


# Every fact of a bot as `show` tells it, in order: what it is called, and the unit behind its number.
SHOWN: dict[str, tuple[str, str]] = {
    "name": ("bot", ""), "author": ("author", ""), "origin": ("from", ""), "model": ("written by", ""),
    "status": ("status", ""), "recovered": ("its past shown again", "share"), "reason": ("why", ""),
    "note": ("note", ""), "disqualified": ("out of the ranking", ""), "warnings": ("warnings", ""),
    "prompt": ("prompt", ""), "symbols": ("symbols", ""), "positions": ("holds", ""),
    "rank": ("rank", ""), "tie_first": ("tied from rank", ""), "tie_last": ("tied to rank", ""),
    "verdict": ("against the benchmark", ""), "verdict_next": ("against the next bot", ""),
    "ticks_to_separate": ("told apart in about", "ticks"),
    "equity": ("equity", ""), "cash": ("cash", ""), "return_pct": ("return", "%"),
    "excess_pct": ("return beyond the benchmark", "points"), "max_drawdown_pct": ("largest drawdown", "%"),
    "realized_pnl": ("realized profit", ""), "unrealized_pnl": ("unrealized profit", ""), "fees": ("fees", ""),
    "sharpe": ("Sharpe ratio", ""), "periods": ("returns counted", ""), "periods_a_year": ("of those in a year", ""),
    "batches": ("batches compared", ""),
    "trades": ("trades", ""), "win_rate_pct": ("sales above cost", "%"), "turnover": ("turnover", ""),
    "exposure_pct": ("exposure", "%"), "rejected": ("rejected orders", ""), "errors": ("errors", ""),
    "last_error": ("last error", ""), "cpu_ms": ("CPU per tick", "ms"), "snapshot": ("snapshot of its memory", ""),
    "verified": ("run again", ""), "verified_tick": ("run again to tick", ""),
    "version": ("version", ""), "admitted_at": ("admitted", ""), "admitted_tick": ("admitted at tick", ""),
    "path": ("file", ""), "source_hash": ("SHA-256 of its source", ""), "bot_id": ("id", ""),
    "submission_id": ("submission", ""),
}  # fmt: skip


def _told(name: str, value: Any, unit: str) -> str:
    """Return a fact in words; nothing for one that is not known."""
    if value in (None, "", [], {}):
        return ""
    if name == "snapshot":
        return clean_text(value["problem"] or "") or f"after tick {value['tick']:,}, {cell(value['size'])} bytes"
    if unit == "share":
        return f"{value:.0%}"
    if isinstance(value, str):
        return clean_text(value)
    if name == "warnings":
        return "\n".join(cell(each) for each in value)
    return f"{cell(value, name)} {unit}".rstrip()


@app.command()
def source(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Print a bot's source."""
    with connected(url) as arena:
        text = arena.source(bot)
    if as_json:
        print_json({"bot": bot, "source": text})
    else:
        sys.stdout.write(source_text(text))


@app.command()
def logs(
    bot: Bot,
    limit: Limit = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines as they come.")] = False,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Show a bot's last log lines, oldest first."""
    with connected(url) as arena:
        found = arena.logs(bot, limit=limit)
        if as_json and not follow:
            print_json(found.document)
            return
        last = _print_lines(found, 0, as_json=as_json)
        while follow:
            sys.stdout.flush()
            time.sleep(1.0)
            last = _print_lines(arena.logs(bot, limit=1000), last, as_json=as_json)


def _print_lines(items: Sequence[LogRow], last: int, *, as_json: bool) -> int:
    """Print the rows that are younger than row `last`, oldest first; return the youngest row's id."""
    for row in reversed(items):
        if row["id"] <= last:
            continue
        last = row["id"]
        if as_json:
            sys.stdout.write(json.dumps(row) + "\n")
        else:
            moment = time.strftime("%H:%M:%S", time.gmtime(row["time"]))
            console.print(f"{moment} [{row['level']}] {row['message']}")
    return last


@app.command()
def trades(bot: Bot, limit: Limit = 50, as_json: AsJson = False, url: Url = "") -> None:
    """Show a bot's last trades, newest first."""
    with connected(url) as arena:
        found = arena.trades(bot, limit=limit)
    if as_json:
        print_json(found.document)
        return
    rows = [{**row, "at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row["time"]))} for row in found]
    columns = (
        ("at", "TIME (UTC)"), ("symbol", "SYMBOL"), ("side", "SIDE"), ("size", "SIZE"),
        ("price", "PRICE"), ("realized_pnl", "REALIZED"), ("cash_after", "CASH AFTER"),
        ("position_after", "POSITION AFTER"),
    )  # fmt: skip
    print_table(columns, rows, optional=("cash_after", "position_after", "realized_pnl"))


def _told_of_change(found: BotDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        console.print(f"{found['name']}: {found['status']}")


@app.command()
def pause(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Stop asking a bot; it stays on the board."""
    with connected(url) as arena:
        _told_of_change(arena.pause(bot), as_json=as_json)


@app.command()
def resume(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Ask a paused bot again."""
    with connected(url) as arena:
        _told_of_change(arena.resume(bot), as_json=as_json)


@app.command()
def retire(
    bot: Bot,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Retire a bot for good; its record stays."""
    with connected(url) as arena:
        found = arena.bot(bot)
        facts = f"{plural(found['trades'], 'trade')}, {found['status']}"
        if not yes and not _agreed(f"Retire {found['name']} ({facts}) for good?"):
            complain("Nothing was changed.")
            raise typer.Exit(1)
        arena.retire(found["bot_id"])
    if as_json:
        print_json({"bot": found["name"], "bot_id": found["bot_id"], "status": "retired"})
    else:
        console.print(f"{found['name']}: retired")


def _agreed(question: str) -> bool:
    """Ask on stderr, because stdout may be read by a program; no answer is a usage error."""
    errors.print(f"{question} [y/N] ", end="")
    try:
        answer = sys.stdin.readline()
    except OSError:
        answer = ""
    if not answer:
        errors.print("")
        raise typer.BadParameter("Nobody is here to answer; --yes retires without a question.")
    return answer.strip().casefold() in {"y", "yes"}
