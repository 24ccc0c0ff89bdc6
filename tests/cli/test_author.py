"""`arena new`, `arena try`, and where `arena check` puts its caret: the loop of an author without a server."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path

import pytest

from tests.arenas import BUYER, bot_source
from tests.cli.conftest import Run


def write(folder: Path, name: str, source: str) -> str:
    path = folder / name
    path.write_text(source, "utf-8")
    return str(path)


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "file"),
    [("My Bot", "my_bot.py"), ('It\'s "quoted" \\ {x}', "it_s_quoted_x.py"), ("7 up", "bot_7_up.py"), ("狗", "bot.py")],
)
def test_a_new_bot_passes_its_check_whatever_its_name(run: Run, tmp_path: Path, name: str, file: str) -> None:
    assert run("new", name, "--dir", "bots").code == 0
    assert run("check", f"bots/{file}").code == 0
    assert f"NAME = {name!r}" in (tmp_path / "bots" / file).read_text("utf-8")


@pytest.mark.system
def test_a_new_bot_does_what_is_expected(run: Run) -> None:
    run("new", "My Bot", "--stub", "--dir", "bots")
    done = run("try", "bots/my_bot.py", "--prompt", "20-tick SMA cross on BTC with 10% of cash", "--json")
    assert done.code == 0, done.err
    report = done.json()["report"]
    assert [each["message"] for each in report["findings"] if each["outcome"] == "not met"] == []


def test_the_stub_and_the_schema_are_what_an_editor_reads(run: Run, tmp_path: Path) -> None:
    run("new", "Stubbed", "--stub")
    stub = ast.parse((tmp_path / "arena_bot.pyi").read_text("utf-8"))
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    methods = {node.name for node in classes["Ctx"].body if isinstance(node, ast.FunctionDef)}
    assert methods == {"get_price", "get_cash", "get_position", "submit_order", "log"}
    fields = {node.target.id for node in classes["Tick"].body if isinstance(node, ast.AnnAssign)}  # type: ignore[union-attr]
    assert fields == {"time", "prices", "bot"}
    schema = json.loads((tmp_path / "claims.schema.json").read_text("utf-8"))
    assert schema["properties"]["order_size"]


def test_a_file_that_is_there_is_not_written_over(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, "mine.py", "precious")
    done = run("new", "Mine")
    assert (done.code, Path(path).read_text("utf-8")) == (2, "precious")
    assert "there already" in done.err


@pytest.mark.system
def test_try_shows_what_is_not_met_and_refuses_nothing(run: Run, tmp_path: Path) -> None:
    done = run("try", write(tmp_path, "idle.py", bot_source("pass")))
    assert done.code == 0
    assert "✗ trades: It never places an order" in done.out


@pytest.mark.system
def test_try_holds_a_file_against_its_own_claims_and_those_of_a_file(run: Run, tmp_path: Path) -> None:
    claim = {"order_size": {"kind": "units", "value": 0.0001}}
    own = write(tmp_path, "own.py", bot_source(BUYER, top=f"CLAIMS = {claim}"))
    told = write(tmp_path, "told.py", bot_source(BUYER))
    claims = write(tmp_path, "claims.json", json.dumps(claim))
    for arguments in ([own], [told, "--claims", claims]):
        done = run("try", *arguments, "--json")
        unmet = {each["check"] for each in done.json()["report"]["findings"] if each["outcome"] == "not met"}
        assert "order-size" in unmet


def test_try_of_a_refused_file_exits_3_with_its_place(run: Run, tmp_path: Path) -> None:
    done = run("try", write(tmp_path, "bad.py", "import os\n" + bot_source("os.getcwd()")))
    assert done.code == 3
    assert "| import os" in done.out


def test_claims_that_are_no_json_are_told_in_a_sentence(run: Run, tmp_path: Path) -> None:
    bot = write(tmp_path, "bot.py", bot_source("pass"))
    done = run("try", bot, "--claims", write(tmp_path, "claims.json", "{"))
    assert done.code == 3
    assert "is no JSON" in done.err


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("    x = open('a')", "open"),
        ("\tx = open('a')", "open"),
        ("    é = 'ü' + open('a')", "open"),
        ("    x = 1 ; y = '" + "z" * 150 + "' ; open('a')", "open"),
    ],
)
def test_the_caret_stands_under_what_is_wrong(run: Run, tmp_path: Path, line: str, name: str) -> None:
    source = f'NAME = "x"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick):\n{line}\n'
    shown = run("check", write(tmp_path, "bad.py", source)).out.splitlines()
    caret = next(number for number, text in enumerate(shown) if text.strip() == "|" or text.strip().endswith("^"))
    assert shown[caret - 1][shown[caret].index("^") :].startswith(name)


@pytest.mark.parametrize("command", ["check", "try"])
def test_a_bot_file_may_come_from_stdin(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    source = b'NAME = "From afar"\r\nSYMBOLS = ["BTCUSDT"]\r\ndef on_tick(ctx, tick):\r\n\tctx.submit_order(\r\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(source)))
    done = run(command, "-")
    assert done.code == 3
    assert done.out.startswith("-: refused")
    assert "4:18" in done.out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "NAME is missing"),
        (b"\xff\xfeN\x00", "not valid UTF-8"),
        (b'NAME = "\xe9"\n', "not valid UTF-8"),
        (b"#" * (2 << 20), "larger than 64 KiB"),
    ],
    ids=["empty", "utf-16", "latin-1", "long"],
)
def test_a_strange_file_is_refused_in_words(run: Run, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "strange.py").write_bytes(content)
    done = run("check", "strange.py")
    assert done.code == 3
    assert words in done.out
    assert "Traceback" not in done.err
