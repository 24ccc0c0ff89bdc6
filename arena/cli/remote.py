"""Commands that talk to a running server: submit, upload, leaderboard, watch, season."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from arena.cli import following
from arena.cli.output import cell, complain, console, moment, plural, price, print_json, print_table
from arena.config import client_defaults
from arena.errors import ArenaError, AuthError, NotFoundError, RefusedError

season_app = typer.Typer(help="The seasons.", no_args_is_help=True)

Url = Annotated[str, typer.Option("--url", help="The server; else ARENA_URL or HOST and PORT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Author = Annotated[str, typer.Option(help="Your name on the board.")]


class ServerUnreachableError(ArenaError):
    """The server does not answer: exit 6."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (submit, upload, leaderboard, watch):
        app.command()(command)


def request(url: str, method: str, path: str, **options: Any) -> Any:
    """Ask the server; errors come back as ours, with the server's own sentence."""
    import httpx2

    default, token = client_defaults()
    base = (url or default).rstrip("/")
    headers = {**({"authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
    try:
        with httpx2.Client(timeout=60, trust_env=False) as client:
            answer = client.request(method, f"{base}/api/v1{path}", headers=headers, **options)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ServerUnreachableError(f"No arena answers at {base} ({error}). Start one with `arena serve`.") from None
    if answer.status_code >= 400:
        raise _error_of(answer)
    kind = answer.headers.get("content-type", "")
    if answer.content and kind.startswith("application/json"):
        return answer.json()
    if answer.content and not path.endswith("/source"):
        raise ServerUnreachableError(f"What answers at {base} is no arena (it sent {kind or 'something unnamed'}).")
    return answer.text


def bot_path(url: str, bot: str, what: str = "") -> str:
    """Return the address of a bot given by id or name; a name with a slash is looked up, as no address can hold it."""
    if "/" in bot:
        bot = request(url, "GET", "/bots", params={"name": bot})["items"][0]["bot_id"]
    return f"/bots/{quote(bot, safe='')}{what}"


def _error_of(answer: Any) -> ArenaError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": f"The server answered HTTP {answer.status_code}."}
    detail = str(problem.get("detail"))
    if answer.status_code in {401, 403}:
        return AuthError(f"{detail} Set ARENA_TOKEN.")
    if answer.status_code == 404:
        return NotFoundError(detail)
    if answer.status_code == 422 and problem.get("violations"):
        return RefusedError(detail, problem["violations"])
    return ArenaError(detail)


def submit(
    text: Annotated[str | None, typer.Argument(help="The strategy in plain words.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Read the strategy from a file.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Model to write it; may be given again.")] = None,
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
    prompt = text if file is None else _read(file).removeprefix("\ufeff").replace("\r\n", "\n")
    body: dict[str, Any] = {"prompt": prompt, "name": name, "author": author, "models": model or []}
    made = request(url, "POST", "/strategies", json=body)
    items = made.get("items", [made])
    if follow and not as_json:
        items = [following.follow(request, url, item["id"]) for item in items]
    elif wait or follow:
        items = [_follow(url, item["id"], quiet=as_json) for item in items]
    _report(items, as_json=as_json)


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


def _follow(url: str, submission_id: str, *, quiet: bool) -> dict[str, Any]:
    shown = ""
    while True:
        item: dict[str, Any] = request(url, "GET", f"/strategies/{submission_id}")
        if item["status"] != shown and not quiet:
            shown = item["status"]
            console.print(shown)
        if item["status"] in following.FINAL:
            return item
        time.sleep(0.3)


def _report(items: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(items[0] if len(items) == 1 else {"items": items})
    else:
        for item in items:
            if item["reason"]:
                complain(f"{_refused_by(item)}{item['reason']}")
            bot = f"  bot {item['bot_id']}" if item["bot_id"] else ""
            console.print(f"{item['status']}  submission {item['id']}{bot}", soft_wrap=True)
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
    results, refused = [], False
    for path in files:
        try:
            bot = request(url, "POST", "/bots", json={"source": _read(path), "author": author})
        except RefusedError as error:
            refused = True
            results.append({"file": str(path), "accepted": False, "violations": error.violations})
            _show_refusal(path, error)
        else:
            results.append({"file": str(path), "accepted": True, "violations": [], "bot": bot})
            _show_admitted(path, bot, quiet=as_json)
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
    order: Annotated[str, typer.Option(help="asc or desc.")] = "asc",
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Show the board."""
    board = request(url, "GET", "/leaderboard", params={"limit": limit, "sort": sort, "order": order})
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
    def __init__(self, url: str) -> None:
        self._url = url

    def read(self) -> dict[str, Any]:
        """Return the board of the server."""
        board = request(self._url, "GET", "/leaderboard", params={"limit": 200})
        trades = request(self._url, "GET", "/trades", params={"limit": 5})
        prices = request(self._url, "GET", "/prices")
        shown = "  ".join(f"{name} {price(value)}" for name, value in prices["prices"].items())
        season = board["season"]
        title = f"Season {season['number']}  {season['feed']}  tick {prices['tick']}  {shown}"
        return {"title": title, "items": board["items"], "trades": trades["items"], "as_of": board["as_of"]}

    def act(self, what: str, name: str) -> str:
        """Pause or resume a bot of the server."""
        bot = request(self._url, "POST", bot_path(self._url, name, f"/{what}"))
        return f"{bot['name']}: {bot['status']}"

    def bot(self, name: str) -> dict[str, Any]:
        """Return a bot's curve, last trades and last log lines."""
        curve = request(self._url, "GET", bot_path(self._url, name, "/equity"), params={"limit": 200})
        rows = {"limit": 30}
        return {
            "equity": [point["equity"] for point in curve["items"]],
            "trades": request(self._url, "GET", bot_path(self._url, name, "/trades"), params=rows)["items"],
            "logs": request(self._url, "GET", bot_path(self._url, name, "/logs"), params=rows)["items"],
        }


def watch(url: Url = "") -> None:
    """Watch the board live; o NAME opens a bot, s COLUMN sorts, / WORDS searches, p NAME pauses, r NAME resumes.

    q quits. A pipe gets a line for each bot at each change.
    """
    from arena.cli.dashboard import Dashboard

    board = _RemoteBoard(url)
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
    found = request(url, "GET", "/seasons")
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
    dates = {"starts": starts, "ends": ends, "entry_deadline": entry_deadline}
    found = request(url, "POST", "/seasons", json={name: words for name, words in dates.items() if words})
    if as_json:
        print_json(found)
    else:
        console.print(f"Season {found['season']} is open.")


@season_app.command("close")
def season_close(as_json: AsJson = False, url: Url = "") -> None:
    """Close the running season: no tick follows until `season new` or the next start."""
    found = request(url, "POST", "/seasons/close")
    if as_json:
        print_json(found)
    else:
        console.print(f"Season {found['season']} is closed.")
