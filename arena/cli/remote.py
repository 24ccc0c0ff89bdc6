"""Commands that talk to a running server: submit, upload, leaderboard, watch, season."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from arena.cli import following
from arena.cli.output import cell, complain, console, moment, plural, price, print_json, print_table
from arena.config import client_defaults
from arena.errors import RefusedError

if TYPE_CHECKING:
    from arena.client import Arena, Submission

season_app = typer.Typer(help="The seasons.", no_args_is_help=True)

Url = Annotated[str, typer.Option("--url", help="The server; else ARENA_URL or HOST and PORT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Author = Annotated[str, typer.Option(help="Your name on the board.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (submit, upload, leaderboard, watch):
        app.command()(command)


@contextmanager
def connected(url: str) -> Iterator[Arena]:
    """Yield a client of the server that a command talks to: `url`, else ARENA_URL, else the server's HOST and PORT."""
    from arena.client import Arena

    default, token = client_defaults()
    # Whoever waits at a terminal is told at once.
    with Arena(url or default, token, retries=0) as arena:
        yield arena


def submit(
    text: Annotated[str | None, typer.Argument(help="The strategy in plain words.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Read the strategy from a file.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Model to write it; may be given again.")] = None,
    samples: Annotated[int, typer.Option(min=1, max=10, help="Bots from each model.")] = 1,
    keep: Annotated[
        Literal["one", "all"], typer.Option(help="Of several: one, with a question where they differ; or all.")
    ] = "one",
    name: Annotated[str | None, typer.Option(help="Name of the bot.")] = None,
    author: Author = "local",
    wait: Annotated[bool, typer.Option(help="Wait until it is admitted or not.")] = True,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the model's answer as it is written; Ctrl-C cancels it.")
    ] = False,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Submit a strategy in plain words and follow it until it trades, or not."""
    if (text is None) == (file is None):
        raise typer.BadParameter("Give the strategy as text, or a file with -f.")
    prompt = text or "" if file is None else _read(file).removeprefix("\ufeff").replace("\r\n", "\n")
    with connected(url) as arena:
        made = arena.submit_several(prompt, name=name, author=author, models=model or [], samples=samples, keep=keep)
        for submission in made:
            if follow and not as_json:
                following.follow(submission)
            elif wait or follow:
                _wait(submission, quiet=as_json)
    _report([dict(submission.document) for submission in made], as_json=as_json)


def _read(path: Path) -> str:
    """Return a file's text, or that of stdin for `-`; what is not UTF-8 is refused, as the check does."""
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise typer.BadParameter(f"{path}: line {line} is not UTF-8 text; save the file as UTF-8.") from None


def _wait(submission: Submission, *, quiet: bool) -> None:
    """Wait for a submission's end and print its states on the way; the last one belongs to the report."""
    shown = ""
    for event in submission.events():
        if event.kind == "submission" and submission.status != shown and not submission.ended and not quiet:
            shown = submission.status
            console.print(shown)


def _report(items: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(items[0] if len(items) == 1 else {"items": items})
    else:
        for item in items:
            if item["reason"]:
                complain(f"{_refused_by(item)}{item['reason']}")
            line, bot = f"{item['status']}  submission {item['id']}", f"bot {item['bot_id']}"
            # An id that a terminal breaks over two lines cannot be copied.
            between = "\n" if console.is_terminal and len(line) + len(bot) + 2 > console.width else "  "
            console.print(f"{line}{between}{bot}" if item["bot_id"] else line, soft_wrap=True)
    statuses = {item["status"] for item in items}
    if "failed" in statuses:
        raise typer.Exit(1)
    if "cancelled" in statuses:
        raise typer.Exit(130)
    if "rejected" in statuses:
        raise typer.Exit(3)


# Rules that only a trial run finds broken, and those about an answer that holds no code.
_TRIAL_RULES = frozenset({"trial-run", "load-failed"})
_WRITING_RULES = frozenset({"no-code", "cut-off"})


def _refused_by(item: dict[str, Any]) -> str:
    """Say which stage has rejected a submission: its last attempt tells."""
    if item["status"] != "rejected":
        return ""
    last = (item["attempts"] or [{"violations": []}])[-1]
    rules = {found["rule"] for found in last["violations"]}
    if not rules or rules & _WRITING_RULES:
        return "Rejected while it was written. "
    return "Rejected by the trial run. " if rules & _TRIAL_RULES else "Rejected by the check. "


def upload(
    files: Annotated[list[Path], typer.Argument(help="Bot files.")],
    author: Author = "local",
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Upload handwritten bots."""
    results: list[dict[str, Any]] = []
    refused = False
    with connected(url) as arena:
        for path in files:
            try:
                bot = arena.upload(_read(path), author=author)
            except RefusedError as error:
                refused = True
                results.append({"file": str(path), "accepted": False, "violations": error.violations})
                _show_refusal(path, error)
            else:
                results.append({"file": str(path), "accepted": True, "violations": [], "bot": bot})
                _show_admitted(path, dict(bot), quiet=as_json)
    if as_json:
        print_json(results)
    if refused:
        raise typer.Exit(3)


def _show_refusal(path: Path, error: RefusedError) -> None:
    complain(f"{path}: refused")
    for found in error.violations:
        complain(f"  {found['line']}:{found['column']}  {found['message']} {found['hint']}")


def _show_admitted(path: Path, bot: dict[str, Any], *, quiet: bool) -> None:
    for warning in bot["warnings"]:
        complain(f"{path}: {warning}")
    if not quiet:
        console.print(f"{path}: {bot['name']} is in  bot {bot['bot_id']}", soft_wrap=True)


def leaderboard(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows.")] = 50,
    sort: Annotated[str, typer.Option(help="Column to sort by.")] = "rank",
    order: Annotated[Literal["asc", "desc"], typer.Option(help="asc or desc.")] = "asc",
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Show the board."""
    with connected(url) as arena:
        board = arena.leaderboard(limit=limit, sort=sort, order=order).document
    if as_json:
        print_json(board)
        return
    season = board["season"]
    as_of = "no snapshot yet" if board["as_of"] is None else moment(board["as_of"])
    title = f"Season {season['number']}, {season['feed']}, {as_of}"
    columns = (
        ("rank", "#"), ("name", "BOT"), ("origin", "FROM"), ("status", "STATUS"), ("equity", "EQUITY"),
        ("return_pct", "RETURN %"), ("realized_pnl", "REALIZED"), ("unrealized_pnl", "UNREALIZED"),
        ("max_drawdown_pct", "DRAWDOWN %"), ("trades", "TRADES"), ("rejected", "REJECTED"), ("errors", "ERRORS"),
        ("positions", "HOLDS"),
    )  # fmt: skip
    optional = (
        "status", "trades", "max_drawdown_pct", "rejected", "errors", "return_pct", "positions",
        "unrealized_pnl", "realized_pnl", "origin",
    )  # fmt: skip
    print_table(columns, board["items"], title, optional)
    if board["next_cursor"] is not None:
        complain(f"These are the first {plural(len(board['items']), 'bot')}; --limit shows more.")


class _RemoteBoard:
    def __init__(self, arena: Arena) -> None:
        self._arena = arena

    def read(self) -> dict[str, Any]:
        """Return the board of the server."""
        board = self._arena.leaderboard(limit=200).document
        trades = self._arena.trades(limit=5)
        prices = self._arena.prices()
        shown = "  ".join(f"{name} {price(value)}" for name, value in prices["prices"].items())
        season = board["season"]
        title = f"Season {season['number']}  {season['feed']}  tick {prices['tick']}  {shown}"
        return {"title": title, "items": board["items"], "trades": list(trades), "as_of": board["as_of"]}

    def act(self, what: str, name: str) -> str:
        """Pause or resume a bot of the server."""
        bot = self._arena.pause(name) if what == "pause" else self._arena.resume(name)
        return f"{bot['name']}: {bot['status']}"

    def bot(self, name: str) -> dict[str, Any]:
        """Return a bot's curve, last trades and last log lines."""
        return {
            "equity": [point["equity"] for point in self._arena.equity(name, limit=200)],
            "trades": list(self._arena.trades(name, limit=30)),
            "logs": list(self._arena.logs(name, limit=30)),
        }


def watch(url: Url = "") -> None:
    """Watch the board live; o NAME opens a bot, s COLUMN sorts, / WORDS searches, p NAME pauses, r NAME resumes.

    q quits. A pipe gets a line for each bot at each change.
    """
    from arena.cli.dashboard import Dashboard

    with connected(url) as arena:
        board = _RemoteBoard(arena)
        board.read()
        if not sys.stdout.isatty():
            _print_changes(board)
            return
        screen = Dashboard(board, lambda: None)
        screen.start()
        try:
            screen.wait()
        finally:
            screen.stop()


def _print_changes(board: _RemoteBoard) -> None:
    """Print the board's rows and the new trades as lines, for as long as somebody reads and the server answers."""
    as_of, last_trade = None, 0
    console.print(board.read()["title"])
    while True:
        found = board.read()
        lines = [
            f"{moment(trade['time'])}  trade  {trade['bot_name']}  {trade['side']} {cell(trade['size'], 'size')} "
            f"{trade['symbol']} at {price(trade['price'])}"
            for trade in reversed(found["trades"]) if trade["id"] > last_trade
        ]  # fmt: skip
        last_trade = max((trade["id"] for trade in found["trades"]), default=last_trade)
        if found["as_of"] is not None and found["as_of"] != as_of:
            as_of = found["as_of"]
            lines += [
                f"{moment(as_of)}  {item['rank']}  {item['name']}  {item['status']}  {cell(item['equity'])}  "
                f"{cell(item['return_pct'])} %  {cell(item['positions'])}"
                for item in found["items"]
            ]
        for line in lines:
            console.print(line)
        sys.stdout.flush()
        time.sleep(1.0)


@season_app.command("list")
def season_list(as_json: AsJson = False, url: Url = "") -> None:
    """List the seasons, newest first."""
    with connected(url) as arena:
        found = arena.seasons().document
    if as_json:
        print_json(found)
        return
    columns = (
        ("number", "#"), ("status", "STATUS"), ("feed", "FEED"), ("interval", "INTERVAL"),
        ("starting_cash", "CASH"), ("fee_bps", "FEE BPS"), ("isolation", "ISOLATION"),
    )  # fmt: skip
    print_table(columns, found["items"])


@season_app.command("new")
def season_new(
    starts: Annotated[str, typer.Option(help="First tick: 2026-01-31T18:00Z, or +2h for in two hours.")] = "",
    ends: Annotated[str, typer.Option(help="Last tick: a time, or +7d for seven days after the start.")] = "",
    entry_deadline: Annotated[str, typer.Option(help="No bot comes in later: a time, or +1d after the start.")] = "",
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Close the running season and open the next one, with the same bots and fresh accounts."""
    with connected(url) as arena:
        found = arena.new_season(starts=starts or None, ends=ends or None, entry_deadline=entry_deadline or None)
    if as_json:
        print_json(found)
    else:
        console.print(f"Season {found['season']} is open.")


@season_app.command("close")
def season_close(as_json: AsJson = False, url: Url = "") -> None:
    """Close the running season: no tick follows until `season new` or the next start."""
    with connected(url) as arena:
        found = arena.close_season()
    if as_json:
        print_json(found)
    else:
        console.print(f"Season {found['season']} is closed.")
