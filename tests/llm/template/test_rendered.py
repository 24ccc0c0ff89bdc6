"""Every bot that the writer can make passes the checker, runs in the sandbox, and is clean Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, CheckedBot, play_entries
from arena.llm.template import Written, write_bot
from arena.llm.template.render import render
from arena.runtime.contract import read_facts
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.llm.template.test_paraphrases import EXITS, MARKET, MEANINGS

TEMPLATES = Path(__file__).parents[3] / "arena" / "llm" / "template" / "bots"
# One sentence for each meaning, and for each form that a bot may have.
SENTENCES = [
    *(sentences[0] for _, _, sentences in MEANINGS.values()), *list(EXITS)[:2],
    "EMA 3/6 crossover on 5 second candles with a 2% trailing stop", "RSI 30/70 for every coin",
    "buy at 9am, sell at 5pm", "RSI 30/70 between 9am and 5pm on weekdays", "buy on Mondays, sell on Fridays",
    "buy ETH when ETH/BTC ratio is 1.5 std below its 60 tick mean, sell when back at mean",
    "buy 0.01 BTC below 70000, sell half at 3% profit and the rest at 6% profit",
    "grid with 10 levels 0.5% apart, $500 per level", "grid between 60000 and 70000 with 10 levels",
    "DCA $50 every 100 ticks into BTC", "buy and hold 60/40 BTC/ETH", "buy and hold BTC",
    "rebalance 50/50 BTC and ETH every 10 ticks", "trade the ETH/BTC ratio reversion over 60 ticks",
]  # fmt: skip


# One sentence for each template, for a season whose orders fill later than at the next tick.
DELAYED = [
    "RSI 30/70 for every coin", "EMA 3/6 crossover on 5 second candles with a 2% trailing stop",
    "grid with 10 levels 0.5% apart, $500 per level", "DCA $50 every 100 ticks into BTC",
    "buy and hold 60/40 BTC/ETH", "rebalance 50/50 BTC and ETH every 10 ticks",
    "trade the ETH/BTC ratio reversion over 60 ticks",
]  # fmt: skip


def source_of(sentence: str, delay_ticks: int = 1) -> str:
    answer = write_bot(sentence, MARKET, delay_ticks=delay_ticks)
    assert isinstance(answer, Written), (sentence, answer)
    return answer.source


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool("arena.runtime.bot:BotRuntime", Limits())
    made.start()
    yield made
    made.stop()


def market(wave) -> RecordedMarket:
    rows = [
        (1_700_000_000.0 + 600 * n, p * 690, q * 35)
        for n, (p, q) in enumerate(zip(wave(400), wave(400, phase=1.0, seed=3), strict=True))
    ]
    return RecordedMarket(MARKET, np.array(rows))


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda s: s[:50])
def test_a_bot_passes_the_checker_and_runs(pool, wave, sentence: str) -> None:
    source = source_of(sentence).encode()
    checked = pool.check(source)
    assert checked.accepted, checked.violations
    name, symbols = read_facts(checked.facts)
    assert set(symbols) <= set(MARKET)
    entry = CheckedBot(BotSource("bot", source), name, symbols, checked.program)
    (result,) = play_entries(pool, [entry], market(wave), Rules(10_000.0, 0.0, 0.0), seed=1)
    assert result.status == "ok"
    assert result.play is not None
    assert result.play.ledger.errors == 0
    assert not result.endings


@pytest.mark.parametrize("sentence", DELAYED, ids=lambda s: s[:50])
def test_a_bot_whose_orders_fill_later_runs_too(pool, wave, sentence: str) -> None:
    source = source_of(sentence, 5).encode()
    checked = pool.check(source)
    assert checked.accepted, checked.violations
    name, symbols = read_facts(checked.facts)
    entry = CheckedBot(BotSource("bot", source), name, symbols, checked.program)
    (result,) = play_entries(pool, [entry], market(wave), Rules(10_000.0, 0.0, 0.0, delay_ticks=5), seed=1)
    assert result.play is not None
    assert result.play.ledger.errors == 0


def test_every_template_is_among_them() -> None:
    assert {path.name.split(".")[0] for path in TEMPLATES.glob("*.jinja")} == {
        "rules", "dca", "grid", "hold", "pairs", "rebalance",
    }  # fmt: skip
    with pytest.raises(Exception, match="undefined"):
        render("hold", said="x")


def test_the_bots_are_clean_python(tmp_path: Path) -> None:
    for number, sentence in enumerate(SENTENCES):
        (tmp_path / f"bot_{number}.py").write_text(source_of(sentence), "utf-8")
    for number, sentence in enumerate(DELAYED):
        (tmp_path / f"delayed_{number}.py").write_text(source_of(sentence, 5), "utf-8")
    ruff = shutil.which("ruff", path=Path(sys.executable).parent)
    assert ruff is not None
    checks = "E4,E7,E9,F,W,I,B,UP"
    done = subprocess.run(
        [ruff, "check", "--isolated", "--no-cache", "--line-length", "200", "--select", checks, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
