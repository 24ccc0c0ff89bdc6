"""Kept backtests: `arena backtest --keep`, `arena runs list`, `show` and `compare`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.arenas import BUYER, bot_source
from tests.cli.conftest import Run


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "market.csv"
    rows = "".join(f"{1_700_000_000 + n},BTCUSDT,{100 + n % 7}\n" for n in range(40))
    path.write_text("time,symbol,price\n" + rows)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the runs of `kept`, which are made once."""
    return tmp_path_factory.mktemp("made") / "runs"


@pytest.fixture
def kept(run: Run, tmp_path: Path, market: Path, made: Path) -> list[str]:
    """Two runs of the same bot, the second one with a fee; their ids, newest first."""
    bot = tmp_path / "good.py"
    bot.write_text(bot_source(BUYER, name="Good"))
    if made.exists():
        shutil.copytree(made, tmp_path / "runs")
    else:
        for fee in ("0", "10"):
            done = run("backtest", bot, "--data", market, "--keep", "--fee-bps", fee)
            assert done.code == 0
            assert "is kept as" in done.err
        shutil.copytree(tmp_path / "runs", made)
    return [item["id"] for item in json.loads(run("runs", "list", "--json").out)["items"]]


def test_a_kept_run_is_a_folder_with_all_its_files(kept: list[str], tmp_path: Path) -> None:
    for name in kept:
        files = {path.name for path in (tmp_path / "runs" / name).iterdir()}
        assert files == {"run.json", "page.json", "report.html", "trades.csv", "orders.csv", "logs.jsonl"}
    head = json.loads((tmp_path / "runs" / kept[0] / "run.json").read_text())
    assert "--keep" in head["command"]
    assert all(len(digest) == 64 for digest in head["markets"].values())


@pytest.mark.system
def test_runs_are_listed_and_shown_by_the_start_of_an_id(run: Run, kept: list[str]) -> None:
    listed = run("runs", "list")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == kept
    shown = run("runs", "show", kept[0][:8])
    assert shown.code == 0
    assert "fee 10 bps" in shown.out
    assert "Good" in shown.out
    assert json.loads(run("runs", "show", kept[1], "--json").out)["report"]["rules"]["fee_bps"] == 0


@pytest.mark.system
def test_a_run_of_many_bots_names_the_first_two_in_the_list(run: Run, market: Path, tmp_path: Path) -> None:
    bots = [tmp_path / f"bot_{n}.py" for n in range(4)]
    for n, bot in enumerate(bots):
        bot.write_text(bot_source(BUYER, name=f"Bot {n}"))
    assert run("backtest", *bots, "--data", market, "--keep").code == 0
    assert "Bot 0, Bot 1, 2 more" in run("runs", "list").out
    assert run("runs", "list", "--json").json()["items"][0]["bots"] == [f"Bot {n}" for n in range(4)]


@pytest.mark.system
def test_a_comparison_says_what_differs_and_by_how_much(run: Run, kept: list[str]) -> None:
    done = run("runs", "compare", kept[1], kept[0])
    assert "fee in bps: 0 → 10" in done.out
    document = json.loads(run("runs", "compare", kept[1], kept[0], "--json").out)
    (bot,) = document["bots"]
    first, second = bot["figures"]
    assert second["equity"] - first["equity"] == pytest.approx(-second["fees"])
    assert document["differences"] == [{"what": "fee in bps", "values": [0.0, 10.0]}]
    assert document["same_market"]
    assert bot["same_program"]


@pytest.mark.system
def test_other_market_files_and_other_programs_are_said(run: Run, kept: list[str], tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(bot_source(BUYER, name="Good") + "\n# changed\n")
    other = tmp_path / "other.csv"
    other.write_text("time,symbol,price\n1767225600,BTCUSDT,1\n1767225601,BTCUSDT,2\n")
    done = run("backtest", tmp_path / "good.py", "--data", other, "--keep")
    name = done.err.split("is kept as ")[1].split()[0]
    said = run("runs", "compare", kept[0], name).err
    assert "different market files" in said
    assert "Good is another program" in said


@pytest.mark.system
def test_the_same_run_again_takes_the_place_of_the_first(run: Run, tmp_path: Path, market: Path) -> None:
    bot = tmp_path / "good.py"
    bot.write_text(bot_source(BUYER, name="Good"))
    for _ in range(2):
        assert run("backtest", bot, "--data", market, "--keep", "--fee-bps", "10").code == 0
    assert len(json.loads(run("runs", "list", "--json").out)["items"]) == 1


@pytest.mark.parametrize(("wanted", "code"), [("ffffffffffff", 4), ("../x", 4), ("no such", 4)])
def test_a_run_that_is_not_kept_is_said(run: Run, wanted: str, code: int) -> None:
    done = run("runs", "show", wanted)
    assert done.code == code
    assert "arena" in done.err


def test_one_run_cannot_be_compared(run: Run) -> None:
    assert run("runs", "compare", "abc").code == 2


def test_an_empty_folder_has_no_runs(run: Run, tmp_path: Path) -> None:
    done = run("runs", "list", "--dir", tmp_path / "nowhere")
    assert (done.code, done.err.strip()) == (0, "arena: There is nothing to show yet.")
