"""What commands print: whole cells for pipes, people's numbers, nothing that a terminal would obey."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import struct
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from arena.cli import output
from arena.cli.dashboard import View, opened_picture, picture, sparkline
from arena.core.text import clean_text
from tests.arenas import BUYER, PATIENCE, Running, bot_source, until
from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = "\x1b[2J\x07\x9b31m\u202egnp.exe\u2066\u200b\ufeff\x7f"


def unseen(text: str) -> list[str]:
    """Return what of a text a terminal would obey or hide."""
    return [c for c in text if unicodedata.category(c)[0] == "C" and c not in "\n\t"]


def on_terminal(*command: str, columns: int = 80) -> str:
    """Run a command whose stdout and stderr are a terminal of so many columns; return what it printed."""
    import fcntl
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(slave)
    found = bytearray()
    while True:
        try:
            piece = os.read(master, 65_536)
        except OSError:
            break
        if not piece:
            break
        found += piece
    os.close(master)
    process.wait(PATIENCE)
    return found.decode().replace("\r\n", "\n")


# -- numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1e-05, "0.00001"), (0.1 + 0.2, "0.3"), (0.0, "0"), (1234567.5, "1,234,567.5"),
     (1e22, "10,000,000,000,000,000,000,000"),
     (-2.5e-7, "-0.00000025"), (100.0, "100")],
)  # fmt: skip
def test_a_size_is_written_as_people_write_it(value: float, shown: str) -> None:
    assert output.plain(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(69063.1098, "69,063.11"), (1.5, "1.50"), (0.00001234567, "0.0000123457"), (123.456, "123.456"), (0.0, "0.00"),
     (1000.0, "1,000.00")],
)  # fmt: skip
def test_a_price_keeps_the_digits_that_matter(value: float, shown: str) -> None:
    assert output.price(value) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 bots"), (1, "1 bot"), (2, "2 bots"), (1234, "1,234 bots")])
def test_a_count_has_its_noun(count: int, shown: str) -> None:
    assert output.plural(count, "bot") == shown


# -- tables


def test_a_pipe_gets_every_cell_whole(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "N" * 300, "id": "0" * 36, "note": f"{number} " * 80, "equity": 1.0} for number in range(3)]
    output.print_table(
        [("name", "NAME"), ("note", "NOTE"), ("equity", "EQUITY"), ("id", "ID")], rows, optional=["note"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for number, line in enumerate(lines[1:]):
        assert "N" * 300 in line
        assert (f"{number} " * 80).strip() in line
        assert line.endswith("0" * 36)


SHOWN = """
from arena.cli.output import print_table
rows = [{"name": "A bot with a long name " * 3, "equity": 123456.78, "trades": 12345, "more": 98765.43, "id": "0" * 36}]
print_table([("name", "NAME"), ("equity", "EQUITY"), ("trades", "TRADES"), ("more", "MORE"), ("id", "ID")], rows,
            optional=["trades", "more"])
"""


@pytest.mark.parametrize("columns", [80, 100, 60])
def test_a_narrow_terminal_loses_columns_and_names_but_no_digits(columns: int) -> None:
    shown = on_terminal(sys.executable, "-c", SHOWN, columns=columns)
    head, row, *said = shown.splitlines()
    assert "0" * 36 in row
    assert "123,456.78" in row
    assert len(row) <= columns or columns < 70
    gone = [name for name in ("TRADES", "MORE") if name not in head]
    for name in gone:
        assert name in " ".join(said)
    for name, digits in (("TRADES", "12345"), ("MORE", "98,765.43")):
        assert (name in head) == (digits in row)
    assert gone


def test_the_dashboard_gives_up_columns_not_digits() -> None:
    from rich.console import Console

    item = {
        "name": "Bot", "status": "active", "cash": 1234567.89, "equity": 7654321.98, "realized_pnl": -123456.78,
        "unrealized_pnl": 98765.43, "positions": {"BTCUSDT": 0.1 + 0.2}, "last_error": CONTROLS,
    }  # fmt: skip
    trade = {"bot_name": CONTROLS, "side": "BUY", "size": 1e-05, "symbol": CONTROLS, "price": 0.00001234}
    screen = io.StringIO()
    board = {"title": CONTROLS, "items": [item] * 30, "trades": [trade]}
    Console(file=screen, width=80, color_system=None).print(picture(board, rows=5, width=80, log_lines=[CONTROLS]))
    text = screen.getvalue()
    assert not unseen(text)
    assert "7,654,321.98" in text
    assert "25 more bots; no room for" in text
    assert "BUY 0.00001" in text
    assert "0.00001234" in text


# -- texts of strangers


def test_whatever_is_printed_is_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    output.console.print(f"one{CONTROLS}\ntwo [red]x[/red]\ud800")
    output.complain(f"three{CONTROLS}")
    output.print_table(
        [("name", CONTROLS), ("positions", "P")], [{"name": CONTROLS, "positions": {CONTROLS: 1.0}}], CONTROLS
    )
    output.print_json({CONTROLS: CONTROLS, "half": "\ud800"})
    said = capsys.readouterr()
    assert not unseen(said.out + said.err)
    assert "two [red]x[/red]" in said.out
    document = json.loads(said.out[said.out.index("{") :])
    assert document == {CONTROLS: CONTROLS, "half": "\ud800"}


def test_a_source_shows_what_cannot_be_seen_as_python_writes_it() -> None:
    source = f'x = "{CONTROLS}"\r\n\fdef f():\n\treturn "é日本"\n'
    shown = output.source_text(source)
    assert not unseen(shown)
    found: dict[str, str] = {}
    exec(shown, found)
    assert found["x"] == CONTROLS
    assert "é日本" in shown


def test_text_of_several_lines_keeps_its_lines() -> None:
    assert clean_text("a\r\nb\rc\n\td\x1b[0m") == "a\nb\nc\n\td[0m"


@pytest.mark.system
def test_a_hostile_bot_reaches_a_terminal_as_text(live: Running, run: Run, own_name: str) -> None:
    body = f"{BUYER}\nctx.log({CONTROLS!r})\nraise ValueError({CONTROLS!r})"
    seat = live.admitted(bot_source(body, name=own_name))
    until(lambda: seat.score.trades, "a trade")
    for arguments in (
        ["bots", "list"], ["bots", "show", own_name], ["bots", "logs", own_name], ["bots", "source", own_name],
        ["bots", "trades", own_name], ["leaderboard", "--limit", "1000"], ["bots", "logs", own_name, "--json"],
    ):  # fmt: skip
        done = run(*arguments, "--url", live.url)
        assert done.code == 0, done.err
        assert not unseen(done.out + done.err), arguments


def test_a_log_line_is_cleaned() -> None:
    from arena.log import formatter

    record = logging.LogRecord("arena", logging.INFO, "", 0, "one%s\ntwo", (CONTROLS,), None)
    text = formatter().format(record)
    assert text.splitlines()[1] == "two"
    assert not unseen(text)


# -- the words of commands


@pytest.mark.system
def test_a_report_on_stdout_has_it_for_itself(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(bot_source(BUYER))
    prices = "".join(f"{1_700_000_000 + n},BTCUSDT,{100 + n % 7}\n" for n in range(50))
    (tmp_path / "market.csv").write_text(f"time,symbol,price\n{prices}")
    done = run("backtest", "bot.py", "--data", "market.csv", "--json", "-")
    assert done.code == 0
    assert done.json()["ticks"] == 50
    assert "Tester" in done.err
    assert not (tmp_path / "-").exists()


def test_the_version_is_a_flag_too(run: Run) -> None:
    assert run("--version").out == run("version").out


def test_a_usage_error_is_one_plain_sentence(run: Run) -> None:
    done = run("leaderboard", "--limit", "many")
    assert (done.code, done.out) == (2, "")
    assert "'--limit': a whole number is needed." in done.err


def test_a_reader_that_has_enough_is_no_error(live: Running, own_name: str) -> None:
    live.upload(bot_source(name=own_name))
    script = f'"{sys.executable}" -m arena bots list --url {live.url} | head -n 1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


# -- one's own view of the dashboard

ROWS = [
    {"name": name, "status": status, "cash": cash, "equity": cash, "realized_pnl": None, "unrealized_pnl": 0.0,
     "positions": held, "last_error": None}
    for name, status, cash, held in [
        ("Ada", "active", 5.0, {}), ("Bob", "paused", 9.0, {"ETH": 1.0}), ("Cid", "active", 7.0, {}),
    ]
]  # fmt: skip


def test_the_dashboard_sorts_and_searches() -> None:
    board = {"items": ROWS}
    assert [row["name"] for row in View().items(board)] == ["Ada", "Bob", "Cid"]
    assert [row["name"] for row in View(sort="equity", reverse=True).items(board)] == ["Bob", "Cid", "Ada"]
    assert [row["name"] for row in View(sort="realized_pnl").items(board)] == ["Ada", "Bob", "Cid"]
    assert [row["name"] for row in View(words=("active", "c")).items(board)] == ["Ada", "Cid"]
    assert [row["name"] for row in View(words=("eth",)).items(board)] == ["Bob"]


def test_a_bot_opened_in_the_dashboard_fits_its_screen_and_is_cleaned() -> None:
    from rich.console import Console

    trade = {"bot_name": CONTROLS, "side": "BUY", "size": 1.0, "symbol": CONTROLS, "price": 2.0}
    bot = {
        "equity": [1.0, 2.0, 3.0] * 100,
        "trades": [trade] * 30,
        "logs": [{"level": "INFO", "message": CONTROLS}] * 30,
    }
    screen = io.StringIO()
    Console(file=screen, width=80, color_system=None).print(opened_picture("bob", {"items": ROWS}, bot, "", 80, 24))
    text = screen.getvalue()
    assert not unseen(text)
    assert "Bob" in text
    assert "▁▄█" in text or "▁▅█" in text
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("values", "shown"), [([], ""), ([5.0], "▁"), ([1.0, 1.0], "▁▁"), ([0.0, 7.0], "▁█"), ([7.0, 0.0], "█▁")]
)
def test_a_sparkline_spans_its_own_range(values: list[float], shown: str) -> None:
    assert sparkline(values) == shown


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_an_id_is_never_broken_over_two_lines_of_a_terminal(columns: int) -> None:
    bot, submission = (f"{number:08d}-0000-7000-8000-000000000000" for number in (1, 2))
    item = {"status": "admitted", "id": submission, "bot_id": bot, "reason": None}
    code = f"from arena.cli.remote import _report; _report([{item!r}], as_json=False)"
    lines = on_terminal(sys.executable, "-c", code, columns=columns).splitlines()
    assert [line for line in lines if submission in line] == [line for line in lines if "submission" in line]
    assert [line for line in lines if f"bot {bot}" in line] == lines[-1:]
    assert all(len(line) <= max(columns, 57) for line in lines)
