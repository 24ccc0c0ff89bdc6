"""`arena bots ...`: look at bots and change them, on a running server."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from arena.cli.output import console, print_json, print_table
from arena.cli.remote import AsJson, Url, request

app = typer.Typer(help="Bots on a running server, by id or by name.", no_args_is_help=True)

Bot = Annotated[str, typer.Argument(help="Id or name.")]
Limit = Annotated[int, typer.Option(help="Rows.")]


def _path(bot: str, what: str = "") -> str:
    return f"/bots/{quote(bot, safe='')}{what}"


@app.command("list")
def list_bots(as_json: AsJson = False, url: Url = "") -> None:
    """List every bot of the season, the retired included."""
    found = request(url, "GET", "/bots")
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
    found = request(url, "GET", _path(bot))
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if value not in (None, "", [], {}):
            console.print(f"{name}: {value}", markup=False, soft_wrap=True)


@app.command()
def source(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Print a bot's source."""
    text = request(url, "GET", _path(bot, "/source"))
    if as_json:
        print_json({"bot": bot, "source": text})
    else:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


@app.command()
def logs(bot: Bot, limit: Limit = 50, as_json: AsJson = False, url: Url = "") -> None:
    """Show a bot's last log lines, oldest first."""
    found = request(url, "GET", _path(bot, "/logs"), params={"limit": limit})
    if as_json:
        print_json(found)
        return
    for row in reversed(found["items"]):
        moment = time.strftime("%H:%M:%S", time.gmtime(row["time"]))
        console.print(f"{moment} [{row['level']}] {row['message']}", markup=False, soft_wrap=True)


@app.command()
def trades(bot: Bot, limit: Limit = 50, as_json: AsJson = False, url: Url = "") -> None:
    """Show a bot's last trades, newest first."""
    found = request(url, "GET", _path(bot, "/trades"), params={"limit": limit})
    if as_json:
        print_json(found)
        return
    rows = [
        {**row, "at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row["time"])),
         "size": f"{row['size']:.8g}", "position_after": f"{row['position_after']:.8g}"}
        for row in found["items"]
    ]  # fmt: skip
    columns = (
        ("at", "TIME (UTC)"), ("symbol", "SYMBOL"), ("side", "SIDE"), ("size", "SIZE"),
        ("price", "PRICE"), ("realized_pnl", "REALIZED"), ("cash_after", "CASH AFTER"),
        ("position_after", "POSITION AFTER"),
    )  # fmt: skip
    print_table(columns, rows, optional=("cash_after", "position_after", "realized_pnl"))


def _change(bot: str, method: str, what: str, url: str, *, as_json: bool) -> None:
    found: Any = request(url, method, _path(bot, what))
    if as_json:
        print_json(found or {"bot": bot, "status": "retired"})
    else:
        console.print(f"{bot}: {found['status'] if found else 'retired'}", markup=False)


@app.command()
def pause(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Stop asking a bot; it stays on the board."""
    _change(bot, "POST", "/pause", url, as_json=as_json)


@app.command()
def resume(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Ask a paused bot again."""
    _change(bot, "POST", "/resume", url, as_json=as_json)


@app.command()
def retire(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Retire a bot for good; its record stays."""
    _change(bot, "DELETE", "", url, as_json=as_json)
