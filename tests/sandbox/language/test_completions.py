"""Recorded answers of models trade under the wall as they do without it."""

from __future__ import annotations

import json
import random
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wall_process import ROOT

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest, hash_source, seed_of
from sandbox.pool import Pool
from tests import reference

FOLDER = ROOT.parent / "shared" / "completions"
ANSWERS = sorted(path.stem for path in FOLDER.glob("*.json")) if FOLDER.is_dir() else []
TICKS = 3000
SYMBOLS = ("BTCUSDT", "ETHUSDT")
FENCE = re.compile(r"```(?:python|py)?[ \t]*\r?\n(.*?)```", re.DOTALL)

pytestmark = pytest.mark.skipif(not ANSWERS, reason="the shared answers are not beside this project")


def walk() -> list[tuple[float, float, float]]:
    chance = random.Random(20240229)
    btc, eth, rows = 60_000.0, 3_000.0, []
    for tick in range(TICKS):
        common = chance.gauss(0, 0.0006)
        btc *= 1 + common + chance.gauss(0, 0.0003)
        eth *= 1 + common + chance.gauss(0, 0.0005)
        rows.append((1_700_000_000.0 + tick, round(btc, 2), round(eth, 2)))
    return rows


ROWS = walk()


def program(completion: str) -> str:
    """The block with the bot in it: the last that names one, or the whole answer."""
    blocks = FENCE.findall(completion)
    whole = [block for block in blocks if "on_tick" in block]
    return (whole or blocks or [completion])[-1]


def answer(name: str) -> tuple[str, dict[str, Any]]:
    told = json.loads(Path(FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return program(told["completion"]), told


@pytest.mark.parametrize("name", ANSWERS)
def test_a_recorded_answer_trades_as_in_plain_python(bots: Pool, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # Dataclasses of ordinary Python look the module of their class up.
    monkeypatch.setitem(sys.modules, "bot", types.ModuleType("bot"))
    source, told = answer(name)
    checked = bots.check(source.encode())
    if told["expect"] == "reject":
        assert checked.violations
        assert all(violation["message"] for violation in checked.violations)
        return
    assert checked.violations == ()
    data = source.encode()
    market = RecordedMarket(SYMBOLS, np.array(ROWS))
    (result,) = backtest(bots, [BotSource(name, data)], market, Rules(10_000.0, 0.0, 0.0))
    seed = seed_of(0, str(checked.facts["name"]), hash_source(data))
    plain = reference.run(
        source,
        [row[0] for row in ROWS],
        [dict(zip(SYMBOLS, row[1:], strict=True)) for row in ROWS],
        seed=seed,
    )
    assert result.status == "ok"
    assert result.play is not None
    ours = result.play.ledger.trades
    assert len(ours) == len(plain.fills)
    for record, fill in zip(ours, plain.fills, strict=True):
        trade = record.fill
        assert (trade.symbol, trade.side) == (fill.symbol, fill.side)
        assert trade.size == pytest.approx(fill.size, rel=1e-9)
        assert trade.price == pytest.approx(fill.price, rel=1e-9)
    assert result.play.ledger.errors == len(plain.errors)
    assert plain.fills or told["expect"] != "trades"
