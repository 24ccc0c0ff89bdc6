"""The documentation says what is there: every setting, command, route, verdict and message.

Long because each of those lists has its own small test over the same few pages.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from sqlalchemy import create_engine, insert
from sqlalchemy.engine import Engine as Database
from sqlmodel import SQLModel
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from arena.cli import server
from arena.cli.help import PANELS
from arena.config import Settings, load
from arena.core.exchange import Rules, settle
from arena.core.ledger import Account
from arena.core.orders import MAX_ORDERS_PER_TICK, Order, Rejection, Side, check_order
from arena.engine.live.engine import WAITING
from arena.errors import ArenaError, SettingsError
from arena.feeds.runner import FeedRunner
from arena.feeds.websocket import connect_failure
from arena.llm.template import Written, write_bot
from arena.market import choose_market
from arena.store.bulk import insert_rows, table_of
from arena.store.database import open_database, upgrade
from arena.store.models import VIEWS, EquityRow, Season, Tick, Trade
from arena.store.seasons import SeasonPlan, resume_or_open
from arena.submissions.states import Status
from arena.web.security import SecurityMiddleware, Tokens
from docs.images.take import MOST_BYTES, PICTURES
from sandbox.language.rules import RULES
from sandbox.talk.protocol import Kind
from sandbox.talk.verdict import Verdict

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT.parent / "shared" / "GUIDE.md"
PAGES = sorted(
    path
    for folder in (
        ".",
        "docs",
        "docs/decisions",
        "docs/feeds",
        "docs/operate",
        "sandbox",
        "bots",
        "prompts",
        "benchmarks",
    )
    for path in (ROOT / folder).glob("*.md")
)
README = (ROOT / "README.md").read_text("utf-8")
SETTINGS, COMMANDS, API, MESSAGES, ANALYSIS, AUTHOR, USER, OPERATOR, FEEDS, MARKET_FILES = (
    (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    for name in (
        "settings", "commands", "api", "messages", "analysis", "bot-author", "user", "operator", "feeds",
        "market-files",
    )
)  # fmt: skip
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")


def section(page: str, heading: str) -> str:
    """Return what stands under a heading of the second level, which must be there."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def table(text: str) -> list[list[str]]:
    """Return the cells of the rows of all tables in a text, headings left out."""
    rows = [line.strip().strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip(" |") for cell in row] for row in rows]


def code(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def flat(text: str) -> str:
    """Return a text with every run of white space as one space, as a reader sees it."""
    return " ".join(text.split())


# -- settings


def defaults() -> dict[str, str]:
    rows = table(SETTINGS)
    return {row[0].strip("`"): row[1].strip("`") for row in rows if row[0] != "Setting"}


def shown_default(value: object) -> str:
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, float):
        return f"{value:g}"
    return "empty" if value is None or value == "" else str(value)


def test_commands_and_settings_stand_in_the_order_of_the_help_and_of_the_example() -> None:
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    assert re.findall(r"^## (.+)", text, re.MULTILINE)[: len(PANELS)] == list(PANELS)
    listed = dict.fromkeys(re.findall(r"^\| `arena ([\w-]+)", text, re.MULTILINE))
    assert list(listed) == [name for names in PANELS.values() for name in names]
    wanted = dict.fromkeys(
        re.findall(r"^# ([A-Z]\w+?)(?:__\w+)?=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    )
    told = re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs/settings.md").read_text("utf-8"), re.MULTILINE)
    assert told == list(wanted)


def test_the_settings_table_names_every_setting_and_nothing_else() -> None:
    assert sorted(defaults()) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("name", [n for n in Settings.model_fields if n != "data_sources"])
def test_the_settings_table_has_the_default(name: str) -> None:
    default = shown_default(Settings.model_fields[name].default)
    assert defaults()[name.upper()] == default


def nested_settings() -> dict[str, object]:
    sources = Settings.model_fields["data_sources"].default
    return {
        f"DATA_SOURCES__{source}__{name}".upper(): value
        for source, settings in sources.model_dump().items()
        for name, value in settings.items()
    }


def test_the_page_on_feeds_names_every_setting_of_a_source_and_nothing_else() -> None:
    assert set(re.findall(r"DATA_SOURCES__\w+", FEEDS)) == set(nested_settings())


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take every setting out of the environment and stand in an empty folder."""
    names = {name.upper() for name in Settings.model_fields}
    for name in [n for n in os.environ if n.upper() in names or n.upper().startswith("DATA_SOURCES")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_file_names_every_setting_and_nothing_else() -> None:
    names = re.findall(r"^# ([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    wanted = {name.upper() for name in Settings.model_fields} - {"DATA_SOURCES"}
    assert sorted(names) == sorted(wanted | set(nested_settings()))


def test_the_example_file_sets_nothing_as_it_stands() -> None:
    assert not [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")]


def test_the_example_file_uncommented_is_the_defaults(no_settings: Path) -> None:
    lines = re.findall(r"^# ([A-Z_]+=.*)$", EXAMPLE, re.MULTILINE)
    (no_settings / ".env").write_text("\n".join(lines) + "\n", "utf-8")
    defaults = Settings.model_construct()
    assert load().model_dump() == defaults.model_dump()


def test_the_three_ways_to_set_a_source_are_read_as_written(no_settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_settings / "arena.toml").write_text(code(SETTINGS, "toml")[0], "utf-8")
    by_file = load()
    assert by_file.data_sources.binance.symbols == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    (no_settings / "arena.toml").unlink()
    for line in code(SETTINGS, "bash")[0].splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.strip("'"))
    by_environment = load()
    assert by_environment.data_sources == by_file.data_sources
    assert by_environment.allowed_hosts == by_file.allowed_hosts


# -- commands, routes, words


def walk(app: typer.Typer, words: str) -> Iterator[str]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield f"{words} {command.name or command.callback.__name__}"
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from walk(group.typer_instance, f"{words} {group.name}")


def test_the_commands_table_names_every_command_and_nothing_else() -> None:
    # By its full name: the package hands out a function that is called like the module.
    command_line: typer.Typer = importlib.import_module("arena.cli.main").app
    rows = table(COMMANDS)
    named = [row[0].strip("`") for row in rows if row[0] != "Command"]
    assert sorted(named) == sorted(walk(command_line, "arena"))


def test_the_api_table_names_every_route_and_nothing_else() -> None:
    rows = table(API)
    named = [(row[0], row[1].strip("`")) for row in rows if row[0] != "Method"]
    modules = sorted((ROOT / "arena" / "web").glob("routes_*.py"))
    routers = [importlib.import_module(f"arena.web.{module.stem}").router for module in modules]
    real = [
        (method, "/api/v1" + route.path.replace(":path}", "}"))
        for router in routers
        for route in router.routes
        for method in route.methods
    ]
    assert sorted(named) == sorted(real)


def test_every_state_of_a_submission_is_named() -> None:
    assert [status for status in Status if f"`{status}`" not in API or f"`{status}`" not in USER] == []


@pytest.mark.parametrize("page", ["SECURITY.md", "sandbox/README.md"])
def test_every_verdict_is_named(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert [v.name for v in Verdict if f"`{v.name}`" not in text] == []


def test_the_verdicts_table_costs_what_the_code_charges() -> None:
    rows = table(section((ROOT / "SECURITY.md").read_text("utf-8"), "Verdicts and quarantine"))
    costs = {row[0].strip("`"): row[2] for row in rows if row[0] != "Verdict"}
    assert list(costs) == [verdict.name for verdict in Verdict]
    for verdict in Verdict:
        said = costs[verdict.name]
        assert verdict.quarantines == (said == "quarantine at once")
        assert (verdict.strikes and not verdict.quarantines) == (said == "a strike")


def test_the_frames_table_names_every_kind_and_nothing_else() -> None:
    rows = table(section((ROOT / "sandbox" / "README.md").read_text("utf-8"), "Frames"))
    assert [row[0].strip("`") for row in rows if row[0] != "Kind"] == [kind.name for kind in Kind]


def test_every_file_of_the_sandbox_is_named() -> None:
    text = section((ROOT / "sandbox" / "README.md").read_text("utf-8"), "Files")
    rooms = ("", "language", "process", "talk", "memory", "tuning", "doctor")
    files = [path.name for room in rooms for path in (ROOT / "sandbox" / room).glob("*.py") if path.stem != "__init__"]
    assert sorted(files) == sorted(re.findall(r"`(\w+\.py)`", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_quoted_refusal_is_one_the_policy_gives(page: Path) -> None:
    for message, rule in re.findall(r"^ +\d+:\d+  (.+) \[([a-z-]+)\]$", page.read_text("utf-8"), re.MULTILINE):
        pattern = re.escape(RULES[rule].sentence).replace(r"\{name\}", ".+")
        assert re.fullmatch(pattern, message)


# -- messages


def refusal(outcome: object) -> str:
    assert isinstance(outcome, Rejection)
    return outcome.reason


def test_the_messages_of_a_bots_log_are_those_of_the_exchange() -> None:
    orders = [
        Order("BTCUSDT", Side.BUY, 1.0),
        Order("BTCUSDT", Side.SELL, 1.0),
        Order("DOGEUSDT", Side.BUY, 1.0),
    ]
    settled = settle("X", Account(10_000.0), orders, {"BTCUSDT": 69_000.0}, Rules())
    requests = [
        check_order("BTCUSDT", "BUY", -1, 0),
        check_order("BTCUSDT", "buy", 1, 0),
        check_order("BTCUSDT", "BUY", 1, MAX_ORDERS_PER_TICK),
    ]
    real = [refusal(outcome) for outcome in (*settled.outcomes, *requests)]
    rows = [row[0].strip("`") for row in table(section(MESSAGES, "In a bot's log"))]
    assert rows[1:7] == real
    headings = re.findall(r"^\*\*`(.+?)`\*\*", section(MESSAGES, "Troubleshooting"), re.MULTILINE)
    assert headings[:3] == [WAITING, real[0], real[2]]


def test_a_port_in_use_is_told_in_the_quoted_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ArenaError) as caught:
            server._listen("127.0.0.1", port)
    said = str(caught.value).replace(str(port), "8000")
    assert said.startswith("Cannot listen on 127.0.0.1:8000: Address already in use.")
    assert "`Cannot listen on 127.0.0.1:8000: Address already in use.`" in MESSAGES


def test_connection_errors_are_told_in_the_quoted_words() -> None:
    url = "wss://data-stream.binance.vision/stream"
    assert f"`{connect_failure(TimeoutError(), url).message}`" in MESSAGES
    away = connect_failure(OSError("gone"), url).message
    assert f"`{away.replace('gone.', '…')}`" in MESSAGES
    answer = Response(451, "Unavailable", Headers(), b"")
    blocked = connect_failure(InvalidStatus(answer), url)
    assert blocked.permanent
    assert "HTTP 451" in blocked.message


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    upgrade(opened)
    yield opened
    opened.dispose()


def test_the_fallback_is_told_in_the_quoted_words(no_settings: Path, database: Database) -> None:
    settings = load(data_sources={"binance": {"ws_url": "ws://127.0.0.1:1"}}, feed_wait_seconds=1.0)
    runner = FeedRunner()
    try:
        chosen = choose_market(settings, database, runner)
    finally:
        runner.stop()
        runner._loop.close()
    assert f"`{chosen.note}`" in flat(README)


def test_a_missing_key_is_told_in_the_quoted_words(no_settings: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(feed="alpaca")
    (sentence,) = caught.value.problems
    assert f"`{sentence}`" in flat(OPERATOR)


def test_an_unknown_host_is_told_in_the_quoted_words(no_settings: Path) -> None:
    async def nothing(*_: object) -> None:
        """Serve nothing."""

    door = SecurityMiddleware(nothing, load(), Tokens(""), create_engine("sqlite://"))
    refused = door._unknown_host("…")
    assert refused is not None
    assert f"`{refused[1]}`" in MESSAGES


# Makes prctl(PR_SET_SECCOMP) and seccomp fail as a strict container does, then tries our own layer.
_STRICT = """
import struct
from sandbox.process import kernel
from sandbox.process import lockdown
from sandbox.process.limits import Limits

def line(code, k, yes=0, no=0):
    return struct.pack("<HBBI", code, yes, no, k)

kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
kernel.install_filter(
    line(0x20, 0) + line(0x15, 157, 0, 3) + line(0x20, 16) + line(0x15, 22, 0, 1)
    + line(0x06, 0x00050001) + line(0x06, 0x7FFF0000)
)
try:
    lockdown.filter_calls(lockdown.Confinement(Limits(), None, 0, 0))
except lockdown.LockdownError as error:
    print(error)
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the strict filter is written for x86-64")
def test_a_host_without_filters_is_told_in_the_quoted_words() -> None:
    run = subprocess.run([sys.executable, "-c", _STRICT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("this kernel or container does not allow seccomp filters")
    assert "`this kernel or container does not allow seccomp filters`" in MESSAGES


# -- examples


def phrases() -> list[str]:
    rows = table(section(USER, "What the rule-based writer understands"))
    return [phrase for row in rows[1:] for phrase in re.findall(r"`(.+?)`", row[1])]


@pytest.mark.parametrize("phrase", phrases())
def test_the_template_understands_the_examples(phrase: str) -> None:
    assert isinstance(write_bot(phrase, ("BTCUSDT", "ETHUSDT")), Written)


def a_season(database: Database) -> None:
    plan = SeasonPlan("synthetic", ("BTCUSDT",), 1.0, Rules(), 1)
    season, _ = resume_or_open(database, plan, runtime={})
    keys = {"season_id": season.id, "bot_id": "b", "bot_name": "A"}
    fill: dict[str, object] = {
        "symbol": "BTCUSDT",
        "price": 5.0,
        "size": 1.0,
        "cash_after": 0.0,
        "position_after": 0.0,
    }
    with database.begin() as connection:
        for n, equity in enumerate((10.0, 8.0, 12.0)):
            tick = {"season_id": season.id, "n": n, "time": 100.0 + n, "prices": {"BTCUSDT": 5.0 + n}}
            insert_rows(connection, Tick, [tick])
            worth = {"equity": equity, "cash": equity, "realized_pnl": 0.0, "unrealized_pnl": 0.0}
            insert_rows(connection, EquityRow, [{**keys, **worth, "time": 100.0 + n, "tick": n}])
        for side, gain in (("BUY", 0.0), ("SELL", 1.0), ("SELL", -1.0)):
            row: dict[str, object] = {
                "time": 100.0,
                "side": side,
                "realized_pnl": gain,
                "fee": 0.0,
                "tick": 0,
            }
            connection.execute(insert(table_of(Trade)), {**keys, **fill, **row})
        assert connection.execute(table_of(Season).select()).all()


def run_example(page: str, heading: str, folder: Path) -> str:
    (source,) = code(section(page, heading), "python")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_analysis_runs_as_written(database: Database, tmp_path: Path) -> None:
    a_season(database)
    shown = run_example(ANALYSIS, "With pandas", tmp_path)
    assert "-20.0" in shown
    assert "0.5" in shown
    shown = run_example(ANALYSIS, "With polars", tmp_path)
    assert re.search(r"│ A +┆ 15.0 +┆ 0.0 +┆ 0.0 +│", shown)
    assert (tmp_path / "per_bot.parquet").exists()


def test_every_table_of_the_database_is_named() -> None:
    named = {name for row in table(section(ANALYSIS, "Tables")) for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(SQLModel.metadata.tables) | set(VIEWS.tables)


def test_the_export_runs_as_written(database: Database, tmp_path: Path) -> None:
    from arena.feeds.history import load_history

    a_season(database)
    run_example(MARKET_FILES, "Making one", tmp_path)
    history = load_history([str(tmp_path / "market.csv")], interval=None)
    assert history.symbols == ("BTCUSDT",)
    assert history.times.tolist() == [100.0, 101.0, 102.0]
    assert history.prices[:, 0].tolist() == [5.0, 6.0, 7.0]


# -- the pages themselves

# Box drawing counts as a symbol to Unicode.
_LINES = frozenset(map(chr, range(0x2500, 0x2580)))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [*PAGES, ROOT / ".env.example"], ids=lambda p: str(p.relative_to(ROOT)))
def test_there_is_no_emoji(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [
        c
        for c in text
        if (unicodedata.category(c) == "So" and c not in _LINES) or "\ufe00" <= c <= "\ufe0f" or c > "\uffff"
    ] == []


@pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not beside this copy")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_pasted_from_the_guide(page: Path) -> None:
    guide = {line.strip() for line in GUIDE.read_text("utf-8").splitlines()}
    lines = (line.strip() for line in page.read_text("utf-8").splitlines())
    assert [line for line in lines if len(line) >= 60 and line in guide] == []


def linked(page: Path) -> set[Path]:
    """Return the pages and pictures that a page links to."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    return {(page.parent / link).resolve() for link in links if "://" not in link}


def test_every_page_and_picture_is_reached_from_the_readme() -> None:
    found, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in found:
            found.add(page)
            ahead += [link for link in linked(page) if link.suffix == ".md"]
    # The words sent to models are reached by the page beside them.
    inner = {ROOT / "prompts" / f"{name}.md" for name in ("system", "request", "repair", "continue", "revise")}
    assert sorted(set(PAGES) - found - inner) == []
    named = {link for page in found for link in linked(page) if link.parent == ROOT / "docs" / "images"}
    # Each is there, is named, and is remade by `make pictures`.
    assert named == set((ROOT / "docs" / "images").glob("*.webp"))
    assert {picture.stem for picture in named} == set(PICTURES)
    assert [picture.name for picture in named if picture.stat().st_size > MOST_BYTES] == []


@pytest.mark.parametrize("name", ["user", "bot-author", "operator", "api", "analysis", "backtest", "trust"])
def test_every_guide_has_a_picture(name: str) -> None:
    assert [link for link in linked(ROOT / "docs" / f"{name}.md") if link.suffix == ".webp"]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 300


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_file_that_a_page_names_is_there(name: str) -> None:
    files = [
        f"/{path.relative_to(ROOT)}"
        for folder in ("arena", "sandbox", "tests", "docs", "prompts", "bots", "benchmarks")
        for path in (ROOT / folder).rglob("*.*")
    ] + [f"/{path.name}" for path in ROOT.iterdir()]
    # VENUE and NAME stand for any; braces and stars for several.
    named = re.findall(r"(?<![\w/{*.])[\w/-]+\.(?:py|txt|js|toml|md)\b(?![\w*])", (ROOT / name).read_text("utf-8"))
    real = [path for path in named if not re.search(r"VENUE|NAME", path)]
    assert len(real) > 3
    assert [path for path in real if not any(file.endswith(f"/{path}") for file in files)] == []


def test_every_name_of_the_architecture_is_in_the_code() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    code = "\n".join(
        path.read_text("utf-8") for folder in ("arena", "sandbox", "tests") for path in (ROOT / folder).rglob("*.py")
    )
    words = set(re.findall(r"\w+", code))
    # Settings stand in capitals in the environment; files are tested above.
    named = re.findall(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)(?:\(.*?\))?`", text)
    named += re.findall(r"\.py +([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)(?: |$)", text, re.MULTILINE)
    parts = {part for name in named if not name.endswith(".py") for part in name.split(".")}
    assert len(parts) > 60
    assert sorted(part for part in parts if not {part, part.lower()} & words) == []


def test_the_tree_of_the_architecture_is_the_tree() -> None:
    (tree,) = code(section((ROOT / "docs" / "architecture.md").read_text("utf-8"), "The tree"), "text")
    for top in ("arena", "sandbox"):
        block = re.search(rf"^{top}/.*?(?=^\w)", tree + "end", re.MULTILINE | re.DOTALL)
        assert block
        folders = {path.parent.name for path in (ROOT / top).glob("*/__init__.py")}
        assert folders == set(re.findall(r"^  (\w+)/", block[0], re.MULTILINE))
