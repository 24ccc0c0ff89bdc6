"""Evolution: children from models or by other numbers, chosen on train tapes, in a folder that goes on."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from arena.core.exchange import Rules
from arena.core.lineage import lineage_of
from arena.core.statistics.ratios import moments
from arena.core.statistics.sharpe import deflated_sharpe
from arena.engine.backtest.market import RecordedMarket
from arena.errors import ConflictError, GenerationError, MarketDataError, RefusedError
from arena.llm.client import ModelServer
from arena.llm.fake import FakeModelServer, Scripted, in_order
from arena.llm.models import Model
from arena.submissions.behaviour.claims import Claims
from arena.submissions.evolution.budget import Budget, read_budget
from arena.submissions.evolution.curve import curve, curve_words, document, overfitting
from arena.submissions.evolution.evolve import Evolution, Plan, check_budget
from arena.submissions.evolution.folder import Folder
from arena.submissions.evolution.trial import Bench, Tapes, kind_of, split_tapes
from arena.submissions.evolution.writers import OTHER_NUMBERS, RULE_BASED, variation
from arena.submissions.prompt_text import SeasonFacts
from arena.web.evolution_page import write_evolution
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.arenas import PATIENCE, bot_source, until

CONDUCT: dict[str, Any] = {"parents": ["a"], "train": ["b"], "held_out": ["c"], "rules": [1], "seed": 0, "children": 4}
FACTS = SeasonFacts(("BTCUSDT",), 600.0, 10_000.0, 0.0, 0.05)
# Buys after falls and sells after rises, over so many ticks.
DIPS = """NAME = "Dips"
SYMBOLS = ["BTCUSDT"]
TICKS = {ticks}  # é, so that bytes are not characters
last = []


def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    last.append(price)
    del last[:-TICKS]
    if len(last) < TICKS:
        return
    held = ctx.get_position("BTCUSDT")
    if last[-1] < last[0] * 0.995 and held == 0:
        ctx.submit_order("BTCUSDT", "BUY", ctx.get_cash() * 0.5 / price)
    elif last[-1] > last[0] * 1.005 and held > 0:
        ctx.submit_order("BTCUSDT", "SELL", held)
"""
PARENT, CHILD = DIPS.format(ticks=4), DIPS.format(ticks=9)


def waves(ticks: int = 200, *, length: float = 16.0) -> RecordedMarket:
    """Return a market of ten minutes a tick that rises and falls, with some noise."""
    noise = np.random.default_rng(1).normal(0.0, 0.002, ticks)
    prices = 60_000.0 * np.exp(0.03 * np.sin(np.arange(ticks) * 2 * np.pi / length) + noise)
    return RecordedMarket(("BTCUSDT",), np.column_stack([1.7e9 + 600.0 * np.arange(ticks), prices]))


def fenced(source: str) -> Scripted:
    return Scripted(f"Here it is.\n```python\n{source}```\n")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    pool = Pool("arena.runtime.bot:BotRuntime", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=35_000))
    pool.start()
    yield Bench(pool, split_tapes([("waves", waves())], [], 0.6), Rules(10_000.0), 0)
    pool.stop()


def plan(server: FakeModelServer | None, *, budget: Budget | None = None, rounds: int = 2, children: int = 4) -> Plan:
    models = () if server is None else (Model("m", "m", ModelServer(server.base_url, "", retries=0), 4, 1.0, 2.0),)
    return Plan(rounds, children, models, budget, 0)


@dataclass
class Played:
    """An evolution that has ended, its folder's lines, and what the model's server was asked."""

    path: Path
    children: list[dict[str, Any]]
    spent: dict[str, float]
    stopped: str
    requests: list[dict[str, Any]]


@pytest.fixture(scope="module")
def played(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return an evolution of which 1,250 tokens were to be spent, 300 an answer."""
    path = tmp_path_factory.mktemp("evolution") / "folder"
    answers = [fenced(CHILD), fenced(CHILD), fenced(CHILD + 'x = eval("1")\n'), Scripted("I cannot.")]
    with FakeModelServer(in_order(answers)) as server, Folder(path, CONDUCT) as folder:
        evolution = Evolution(folder, bench, FACTS, plan(server, budget=Budget("tokens", 1250.0)))
        evolution.run([("parent.py", PARENT)])
        return Played(path, folder.children, evolution.spent(), evolution.stopped, server.requests)


def test_every_child_is_a_line_with_what_it_did_and_what_it_cost(played: Played) -> None:
    lines = played.children
    assert [line["n"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[0]["parent"] is None
    assert [line["parent"] for line in lines[1:]] == [0] * 4
    # What fell over a few ticks may have risen over twenty.
    assert (lines[0]["kind"][0], lines[1]["kind"][0]) == ("buys rises", "buys falls")
    assert lines[1]["train"]["sharpe"] > 0.0 > lines[0]["train"]["sharpe"]
    assert lines[1]["held_out"]["periods"] == 79
    # The first answer is asked for alone; those that follow come in any order.
    refused = sorted(line["refused"] for line in lines[2:])
    assert any(text.startswith("It is the same program as number 1") for text in refused)
    assert any(text == "There is no bot in the answer." for text in refused)
    assert any("eval" in text and text.startswith("Line ") for text in refused)
    assert [line["spent_tokens"] for line in lines] == [0, 300, 600, 900, 1200]
    stored = [json.loads(line) for line in (played.path / "children.jsonl").read_text("utf-8").splitlines()]
    # The test that goes on with this folder may have run before.
    assert stored[: len(lines)] == json.loads(json.dumps(lines))


@pytest.mark.system
def test_the_budget_is_kept(played: Played) -> None:
    assert len(played.requests) == 4
    assert played.spent == {"tokens": 1200.0, "usd": pytest.approx(4 * (100 * 1.0 + 200 * 2.0) / 1e6)}
    assert played.stopped == "The budget of 1,250 tokens is used up: 1,200 tokens spent."
    # An answer may be no longer than what is left.
    assert all(request["max_tokens"] <= 1250 for request in played.requests)


@pytest.mark.system
def test_a_model_is_told_of_the_train_tapes_only(played: Played) -> None:
    text = played.requests[0]["messages"][1]["content"]
    parent = played.children[0]
    assert PARENT.strip() in text
    assert str(parent["train"]["sharpe"]) in text
    assert str(parent["held_out"]["sharpe"]) not in text
    assert str(parent["held_out"]["return_pct"]) not in text
    assert all(style in text for style in ("holds, ", "buys rises, ", "buys falls, ", "buys both, "))


def test_every_program_counts_as_a_trial_and_the_curve_has_the_formulas_values(played: Played) -> None:
    lines = played.children
    points = curve(lines)
    # The copy counts once, the answer without a bot not at all, the refused program does.
    assert points[-1]["k"] == 3
    assert [point["best"] for point in points] == [0, 1, 1, 1, 1]
    for side in ("train", "held_out"):
        sharpes = [line[side]["sharpe"] for line in lines[:2]]
        series = moments(np.array(lines[1][side]["returns"]))
        wanted = deflated_sharpe(sharpes[1], series, float(np.var(sharpes, ddof=1)), 3)
        assert points[-1][f"{side}_dsr"] == pytest.approx(wanted, abs=1e-12)
    first = moments(np.array(lines[0]["train"]["returns"]))
    assert points[0]["train_dsr"] == pytest.approx(deflated_sharpe(lines[0]["train"]["sharpe"], first, 0.0, 1))


def test_it_goes_on_where_it_was_and_asks_for_nothing_twice(played: Played, bench: Bench) -> None:
    before = played.children[:]
    with (played.path / "children.jsonl").open("a") as file:
        file.write('{"n": 5, "par')
    with FakeModelServer(in_order([Scripted("no", status=500)])) as server, Folder(played.path, CONDUCT) as folder:
        assert json.loads(json.dumps(before)) == folder.children
        evolution = Evolution(folder, bench, FACTS, plan(server, budget=Budget("usd", 1.0)))
        evolution.run([("parent.py", PARENT)])
        # What failed is no child: its number is free for another run.
        assert len(folder.children) == 5
        assert len(server.requests) >= 3
        assert evolution.spent()["tokens"] == 1200.0
    assert evolution.stopped.startswith("The model gave no answer 3 times in a row: The model server answered HTTP 500")
    with FakeModelServer(in_order([fenced(CHILD)])) as server, Folder(played.path, CONDUCT) as folder:
        evolution = Evolution(folder, bench, FACTS, plan(server, budget=Budget("usd", 1.0)))
        evolution.run([("parent.py", PARENT)])
        assert [line["n"] for line in folder.children] == [*range(9)]
        assert len(server.requests) == 4
        assert evolution.stopped == ""


def test_a_folder_is_for_one_conduct_and_one_process(tmp_path: Path) -> None:
    with Folder(tmp_path / "f", CONDUCT), pytest.raises(ConflictError, match="Another `arena evolve` is at work"):
        Folder(tmp_path / "f", CONDUCT)
    with pytest.raises(ConflictError, match="was begun with other bots, another seed: give"):
        Folder(tmp_path / "f", {**CONDUCT, "parents": ["z"], "seed": 5})
    with Folder(tmp_path / "f", {**CONDUCT, "rules": (1,)}) as folder:
        folder.add_child({"n": 0})
    (tmp_path / "f" / "children.jsonl").write_text("nonsense\n")
    with pytest.raises(ConflictError, match=r"children\.jsonl, line 1: no JSON object"):
        Folder(tmp_path / "f", CONDUCT)


@pytest.mark.system
def test_without_a_model_children_are_the_same_in_pieces_and_at_once(bench: Bench, tmp_path: Path) -> None:
    found = []
    for name, pieces in (("at once", [2]), ("in pieces", [1, 2])):
        for rounds in pieces:
            with Folder(tmp_path / name, CONDUCT) as folder:
                Evolution(folder, bench, FACTS, plan(None, rounds=rounds, children=1)).run([("parent.py", PARENT)])
                lines = folder.children
        found.append(json.loads(json.dumps(lines)))
    assert found[0] == found[1]
    assert [line["model"] for line in found[0]] == ["", OTHER_NUMBERS, OTHER_NUMBERS]
    assert len({line["source"] for line in found[0]}) == 3


def test_a_parent_that_is_refused_is_named(bench: Bench, tmp_path: Path) -> None:
    with Folder(tmp_path / "f", CONDUCT) as folder:
        evolution = Evolution(folder, bench, FACTS, plan(None))
        with pytest.raises(RefusedError, match=r"bad\.py cannot be a parent: Line 1"):
            evolution.run([("bad.py", "import os\n")])
        with pytest.raises(RefusedError, match=r"It trades XRPUSDT; the tapes have BTCUSDT"):
            evolution.run([("other.py", bot_source(symbols='["XRPUSDT"]'))])
    assert not (tmp_path / "f" / "children.jsonl").exists()


def test_a_bot_that_never_trades_has_no_place_in_the_archive(bench: Bench) -> None:
    trial = bench.tried(bot_source("ctx.get_price('BTCUSDT')"), Claims())
    assert trial.kind is None
    assert trial.train == {} or trial.train["sharpe"] is None


# -- without a sandbox --------------------------------------------------------------------------------------------


def test_other_numbers_change_nothing_else() -> None:
    source = DIPS.format(ticks=9) + 'CLAIMS = {"order_size": {"value": 0.5}}\n'
    made = {variation(source, ("BTCUSDT",), 600.0, np.random.default_rng([0, n])) for n in range(30)}
    children = [child for child, _ in made]
    kept = [child for child, by in made if by == OTHER_NUMBERS]
    assert {by for _, by in made} == {OTHER_NUMBERS, RULE_BASED}
    assert len(kept) > 5
    assert len(children) > len(kept)
    for child in children:
        ast.parse(child)
    for child in kept:
        lines = [(a, b) for a, b in zip(source.splitlines(), child.splitlines(), strict=True) if a != b]
        ((before, after),) = lines
        assert (before[:8], after[:8]) == ("TICKS = ", "TICKS = ")
        assert after.endswith("# é, so that bytes are not characters")
        assert int(after.split("#")[0][8:]) >= 1
    same = [variation(source, ("BTCUSDT",), 600.0, np.random.default_rng(4)) for _ in range(2)]
    assert same[0] == same[1]


def test_numbers_of_the_functions_change_where_none_has_a_name() -> None:
    source = "NAME = 'x'\r\nSYMBOLS = ['BTCUSDT']\r\n\r\n\r\ndef on_tick(ctx, tick):\r\n    ctx.log(str(2.5 * 1))\r\n"
    made = [variation(source, ("BTCUSDT",), 1.0, np.random.default_rng(n)) for n in range(12)]
    kept = [child for child, by in made if by == OTHER_NUMBERS]
    assert kept
    for child in kept:
        assert "2.5" not in child
        assert "* 1))" in child


def test_the_later_part_of_each_tape_is_held_out() -> None:
    market = waves(200)
    tapes = split_tapes([("a", market)], [], 0.6)
    (_, train), (_, held_out) = tapes.train[0], tapes.held_out[0]
    assert (len(train), len(held_out)) == (120, 80)
    assert np.array_equal(np.concatenate([train.rows, held_out.rows]), market.rows)
    named = split_tapes([("a", market)], [("b", waves(60))], 0.6)
    assert (named.train[0][1], named.held_out[0][0]) == (market, "b")
    with pytest.raises(MarketDataError, match="The held-out tapes have 11 periods of returns, and 30 are needed"):
        split_tapes([("a", waves(120))], [], 0.9)


def test_kinds_have_bands() -> None:
    assert kind_of("holds", 0.05, 1.9) == ("holds", "low turnover", "shallow drawdown")
    assert kind_of("buys both", 0.1, 2.0) == ("buys both", "medium turnover", "medium drawdown")
    assert kind_of("buys falls", 7.0, 44.0) == ("buys falls", "high turnover", "deep drawdown")


@pytest.mark.parametrize(
    ("text", "unit", "limit"),
    [("5usd", "usd", 5.0), ("$2.50", "usd", 2.5), ("0.5 USD", "usd", 0.5), ("200000tokens", "tokens", 200_000.0),
     ("1,000 tokens", "tokens", 1000.0)],
)  # fmt: skip
def test_a_budget_says_its_unit(text: str, unit: str, limit: float) -> None:
    assert read_budget(text) == Budget(unit, limit)


@pytest.mark.parametrize(
    ("text", "words"),
    [("5", "Is 5 dollars or tokens"), ("0usd", "more than nothing"), ("lots", "is no budget"),
     ("-1usd", "is no budget"), ("$5tokens", "is no budget"), ("5eur", "is no budget"), ("", "is no budget")],
)  # fmt: skip
def test_a_budget_that_cannot_be_read_is_a_question(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_budget(text)


def test_models_need_a_budget_and_dollars_a_price() -> None:
    unpriced = Model("local", "local", ModelServer("http://127.0.0.1:1/v1", ""))
    check_budget([], None)
    check_budget([unpriced], Budget("tokens", 10.0))
    with pytest.raises(GenerationError, match="local may cost money: name a budget"):
        check_budget([unpriced], None)
    with pytest.raises(GenerationError, match="The price of local is not known"):
        check_budget([unpriced], Budget("usd", 1.0))


def line(n: int, train: float, held_out: float | None) -> dict[str, Any]:
    sides = {}
    for side, mean in (("train", train), ("held_out", held_out)):
        returns = np.zeros(60) if mean is None else np.tile([1.0, -1.0], 30) + mean
        spread = float(np.std(returns, ddof=1))
        sides[side] = {
            "sharpe": mean / spread if mean is not None else None, "returns": returns.tolist(), "periods": 60,
            "return_pct": 1.0, "max_drawdown_pct": 1.0, "turnover": 0.0, "trades": 2,
        }  # fmt: skip
    return {
        "n": n, "parent": None if n == 0 else 0, "model": "", "source": f"# {n}", "name": f"<b>{n}", "refused": "",
        "kind": ["holds", "low turnover", "shallow drawdown"], "findings": [], "claims": {}, "log": [], **sides,
        "best_of_kind": True, "spent_tokens": 100 * n, "spent_usd": 0.0,
    }  # fmt: skip


def test_overfitting_begins_where_the_held_out_tapes_were_at_their_best() -> None:
    lines = [line(0, 0.1, 0.1), line(1, 0.2, 0.3), line(2, 0.1, 0.9), line(3, 0.4, 0.1), line(4, 0.5, 0.05)]
    points = curve(lines)
    assert [point["best"] for point in points] == [0, 1, 1, 3, 4]
    begins = overfitting(points)
    assert begins == 3
    words = curve_words(points, begins, 60)
    assert "Overfitting begins at number 3, after 3 trials and 300 tokens" in words
    assert "A difference of up to 0.365 there may be chance." in words
    fine = [line(0, 0.1, 0.1), line(1, 0.2, 0.3)]
    assert overfitting(curve(fine)) is None
    assert "no overfitting seen in 2 trials" in curve_words(curve(fine), None, 60)
    silent = [line(0, 0.1, 0.1), line(1, 0.2, None)]
    assert "none, since it does not trade" in curve_words(curve(silent), overfitting(curve(silent)), 60)
    assert "none traded" in document([], {"tokens": 0.0, "usd": 0.0}, "")["words"]


def test_the_page_shows_curve_and_archive_and_runs_nothing(tmp_path: Path) -> None:
    lines = [line(0, 0.1, 0.1), line(1, 0.2, 0.3), line(2, 0.4, None), line(3, 0.5, 0.05)]
    found = document(lines, {"tokens": 300.0, "usd": 0.0}, "The budget is used up.")
    write_evolution(tmp_path / "page.html", {**found, "writers": "Children are written by m."})
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "overfitting begins" in page
    assert "tokens spent" in page
    assert page.count("<polyline") == 6
    assert "The budget is used up." in page
    assert "&lt;b&gt;3" in page
    assert "<b>3" not in page
    assert "<script" not in page


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    market = waves(200)
    rows = "".join(f"{time:.0f},BTCUSDT,{price:.2f}\n" for time, price in market.rows.tolist())
    (tmp_path / "tape.csv").write_text("time,symbol,price\n" + rows)
    (tmp_path / "parent.py").write_text(PARENT)
    return tmp_path


@pytest.mark.long  # in two processes; the test of pieces and of a whole does the same in one
def test_an_interrupted_command_keeps_what_is_there_and_goes_on(tape: Path) -> None:
    answers = [fenced(CHILD), Scripted("late", hang=600.0)]
    command = [sys.executable, "-m", "arena", "evolve", "--from", "parent.py", "--data", "tape.csv", "--rounds", "2"]
    command += ["--children", "1", "--budget", "5000tokens", "--json", "out.json", "--report", "out.html"]
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    root = str(Path(__file__).parents[2])
    with FakeModelServer(in_order(answers)) as server:
        environment = {**kept, "PYTHONPATH": root, "OPENAI_MODEL": "m", "OPENAI_BASE_URL": server.base_url}
        with subprocess.Popen(
            command, cwd=tape, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            until(lambda: len(server.requests) == 2, "the second child is asked for")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130, said
        assert "Children are written by m." in said
        assert "the same command goes on from there" in said
        found = json.loads((tape / "out.json").read_text("utf-8"))
        assert [row["n"] for row in found["lines"]] == [0, 1]
        assert found["spent"]["tokens"] == 300.0
        server.script = in_order([fenced(DIPS.format(ticks=5))])
        done = subprocess.run(
            command, cwd=tape, env=environment, capture_output=True, text=True, timeout=PATIENCE * 2, check=False
        )
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 3
    found = json.loads((tape / "out.json").read_text("utf-8"))
    assert [row["n"] for row in found["lines"]] == [0, 1, 2]
    assert found["k"] == 3
    assert found["words"] in done.stdout.replace("\n", " ")
    assert "<h1" in (tape / "out.html").read_text("utf-8")
    best = sorted(path.name for path in (tape / "evolution" / "best").glob("*.py"))
    assert best == sorted(f"{row['n']:04}.py" for row in found["archive"])
    # Two children were tried; the program that all began with is no child.
    told = {path: lineage_of((tape / "evolution" / "best" / path).read_text("utf-8")) for path in best}
    assert {path: list(lineage.values()) for path, lineage in told.items()} == {
        path: [] if path == "0000.py" else [2] for path in best
    }


def test_the_command_asks_what_it_cannot_know(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.cli.main import app, spread_data

    monkeypatch.chdir(tape)
    given = ["evolve", "--from", "parent.py", "--data", "tape.csv", "--rounds", "1"]
    for more, words in (
        (["--budget", "5"], "Is 5 dollars or tokens"),
        (["--model", "template", "--model", "m"], "Name models, or template alone"),
        (["--train-share", "0.95"], "0.9"),
    ):
        done = CliRunner().invoke(app, [*given, *more])
        assert done.exit_code == 2
        assert words in done.output
    monkeypatch.setenv("OPENAI_MODEL", "m")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    done = CliRunner().invoke(app, given)
    assert "name a budget" in str(done.exception)
    assert not (tape / "evolution").exists()
    spread = spread_data(["evolve", "--from", "a.py", "b.py", "--data", "x.csv", "y.csv", "--held-out", "z.csv"])
    assert spread == ["evolve", "--from", "a.py", "--from", "b.py", "--data", "x.csv", "--data", "y.csv", "--held-out",
                      "z.csv"]  # fmt: skip


def test_tapes_know_their_symbols() -> None:
    other = RecordedMarket(("ETHUSDT",), waves().rows)
    assert Tapes((("a", waves()), ("b", other)), ()).symbols == ("BTCUSDT", "ETHUSDT")
