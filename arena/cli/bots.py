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
    for name, value in found.items():
        if value not in (None, "", [], {}):
            console.print(f"{name}: {_told(name, value)}")


def _told(name: str, value: Any) -> str:
    if isinstance(value, str):
        return clean_text(value).replace("\n", "\n  ")
    if isinstance(value, list) and name == "warnings":
        return "".join(f"\n  {cell(each)}" for each in value)
    return cell(value, name)


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
