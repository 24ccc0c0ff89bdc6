"""Commands that talk to a running server: submit, upload, leaderboard, watch, season."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.cli.output import complain, console, print_json, print_table
from arena.config import client_defaults
from arena.errors import ArenaError, AuthError, NotFoundError, RefusedError

season_app = typer.Typer(help="The seasons.", no_args_is_help=True)

Url = Annotated[str, typer.Option("--url", help="The server; else ARENA_URL or HOST and PORT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Author = Annotated[str, typer.Option(help="Your name on the board.")]
_FINAL = frozenset({"admitted", "rejected", "failed"})


class UnreachableError(ArenaError):
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
    except httpx2.HTTPError as error:
        raise UnreachableError(f"No arena answers at {base} ({error}). Start one with `arena serve`.") from None
    if answer.status_code < 400:
        text = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if text and answer.content else answer.text
    raise _error_of(answer)


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
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Submit a strategy in plain words and follow it until it trades, or not."""
    if (text is None) == (file is None):
        raise typer.BadParameter("Give the strategy as text, or a file with -f.")
    prompt = text if text is not None else _read(file)
    body: dict[str, Any] = {"prompt": prompt, "name": name, "author": author, "models": model or []}
    made = request(url, "POST", "/strategies", json=body)
    items = made.get("items", [made])
    if wait:
        items = [_follow(url, item["id"], quiet=as_json) for item in items]
    _report(items, as_json=as_json)


def _read(path: Path | None) -> str:
    assert path is not None
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path}: {error}") from None


def _follow(url: str, submission_id: str, *, quiet: bool) -> dict[str, Any]:
    shown = ""
    while True:
        item: dict[str, Any] = request(url, "GET", f"/strategies/{submission_id}")
        if item["status"] != shown and not quiet:
            shown = item["status"]
            console.print(shown, markup=False)
        if item["status"] in _FINAL:
            return item
        time.sleep(0.3)


def _report(items: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(items[0] if len(items) == 1 else {"items": items})
    else:
        for item in items:
            if item["reason"]:
                complain(item["reason"])
            bot = f"  bot {item['bot_id']}" if item["bot_id"] else ""
            console.print(f"{item['status']}  submission {item['id']}{bot}", markup=False, soft_wrap=True)
    statuses = {item["status"] for item in items}
    if "failed" in statuses:
        raise typer.Exit(1)
    if "rejected" in statuses:
        raise typer.Exit(3)


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
        console.print(f"{path}: {bot['name']} is in  bot {bot['bot_id']}", markup=False, soft_wrap=True)


def leaderboard(
    limit: Annotated[int, typer.Option(help="Rows.")] = 50,
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
    as_of = "no snapshot yet" if board["as_of"] is None else time.strftime(
        "%Y-%m-%d %H:%M:%S UTC", time.gmtime(board["as_of"])
    )  # fmt: skip
    title = f"Season {season['number']}, {season['feed']}, {as_of}"
    columns = (
        ("rank", "#"), ("name", "BOT"), ("origin", "FROM"), ("status", "STATUS"), ("equity", "EQUITY"),
        ("return_pct", "RETURN %"), ("realized_pnl", "REALIZED"), ("unrealized_pnl", "UNREALIZED"),
        ("max_drawdown_pct", "DRAWDOWN %"), ("trades", "TRADES"), ("errors", "ERRORS"),
    )  # fmt: skip
    optional = (
        "trades",
        "return_pct",
        "max_drawdown_pct",
        "errors",
        "unrealized_pnl",
        "origin",
        "realized_pnl",
    )
    print_table(columns, board["items"], title, optional)


class _RemoteBoard:
    def __init__(self, url: str) -> None:
        self._url = url

    def read(self) -> dict[str, Any]:
        """Return the board of the server."""
        board = request(self._url, "GET", "/leaderboard", params={"limit": 200})
        trades = request(self._url, "GET", "/trades", params={"limit": 5})
        prices = request(self._url, "GET", "/prices")
        shown = "  ".join(f"{name} {price:,.2f}" for name, price in prices["prices"].items())
        season = board["season"]
        title = f"Season {season['number']}  {season['feed']}  tick {prices['tick']}  {shown}"
        return {"title": title, "items": board["items"], "trades": trades["items"]}

    def act(self, what: str, name: str) -> str:
        """Pause or resume a bot of the server."""
        from urllib.parse import quote

        bot = request(self._url, "POST", f"/bots/{quote(name, safe='')}/{what}")
        return f"{bot['name']}: {bot['status']}"


def watch(url: Url = "") -> None:
    """Watch the board live; p NAME pauses, r NAME resumes, q quits."""
    from arena.cli.dashboard import Dashboard

    board = _RemoteBoard(url)
    board.read()
    screen = Dashboard(board, lambda: None)
    screen.start()
    try:
        screen.wait()
    finally:
        screen.stop()


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
def season_new(as_json: AsJson = False, url: Url = "") -> None:
    """Close the running season and open the next one, with the same bots and fresh accounts."""
    found = request(url, "POST", "/seasons")
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
