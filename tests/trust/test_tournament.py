"""Rounds, ratings and stress windows; and made markets held against real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from arena.core.exchange import Rules
from arena.core.statistics.stylised import stylised_facts
from arena.engine.backtest.market import RecordedMarket, read_market
from arena.engine.backtest.run import BotSource
from arena.errors import MarketDataError, RefusedError
from arena.feeds.synthetic import SyntheticMarket
from arena.feeds.synthetic_tiers import HELD_OUT, SHOWN, TIERS, made_window
from arena.trust.tournament import draw_rounds, mean_difference, rated, tournament, window_market
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.arenas import bot_source

HOLDER = bot_source('if ctx.get_position("BTCUSDT") == 0:\n    ctx.submit_order("BTCUSDT", "BUY", 0.1)', name="Holder")
IDLER = bot_source(name="Idler")
STRANGER = bot_source(name="Stranger", symbols='["XRPUSDT"]')
RULES = Rules(10_000.0)
BARS = Path(__file__).resolve().parents[3] / "shared" / "data" / "bars"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool("arena.runtime.bot:BotRuntime", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=35_000))
    made.start()
    yield made
    made.stop()


def rising(ticks: int = 400) -> RecordedMarket:
    prices = np.linspace(60_000.0, 66_000.0, ticks)
    return RecordedMarket(("BTCUSDT",), np.column_stack([1.7e9 + 60.0 * np.arange(ticks), prices]))


def sources(*texts: str) -> list[BotSource]:
    return [BotSource(f"{n}.py", text.encode()) for n, text in enumerate(texts)]


@pytest.mark.system
def test_who_is_better_in_every_round_is_rated_higher_and_told_apart(pool: Pool) -> None:
    rounds = draw_rounds([("rise", rising())], ["BTCUSDT"], 8, 100, 0, [])
    assert len({each.words for each in rounds}) > 1
    found = tournament(pool, sources(IDLER, HOLDER), rounds, RULES)
    first, second = found["table"]
    assert (first["name"], second["name"]) == ("Holder", "Idler")
    assert first["wins"] == first["rounds"] == 8
    assert first["rating"] > 25 > second["rating"]
    assert first["uncertainty"] < 25 / 3
    assert first["difference_low_pct"] > 0.0 > second["difference_high_pct"]
    assert first["mean_difference_pct"] == pytest.approx(first["mean_return_pct"])
    assert tournament(pool, sources(IDLER, HOLDER), rounds, RULES)["table"] == found["table"]
    assert found["mode"] == "lockstep"


def test_a_bot_without_a_market_sits_the_round_out_and_a_refused_one_is_named(pool: Pool) -> None:
    rounds = draw_rounds([("rise", rising())], ["BTCUSDT"], 2, 100, 0, [])
    table = {row["name"]: row for row in tournament(pool, sources(HOLDER, STRANGER), rounds, RULES)["table"]}
    assert (table["Stranger"]["rounds"], table["Stranger"]["mean_return_pct"]) == (0, None)
    assert table["Stranger"]["uncertainty"] == pytest.approx(25 / 3)
    with pytest.raises(RefusedError, match=r"1\.py is refused"):
        tournament(pool, sources(HOLDER, "import os"), rounds, RULES)


def test_equal_returns_are_a_draw() -> None:
    ratings = rated(np.zeros((5, 3)))
    assert len({round(mu, 9) for mu, _ in ratings}) == 1


def test_the_interval_of_the_difference_covers_no_difference_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        _, low, high = mean_difference(chance.normal(size=(40, 3)), 0, chance)
        assert low is not None
        assert high is not None
        covered += low <= 0.0 <= high
    assert covered >= 175
    assert mean_difference(chance.normal(size=(3, 2)), 0, chance)[1] is None


def test_rounds_take_tapes_tiers_and_bands_in_turn() -> None:
    rounds = draw_rounds([("rise", rising())], ["BTCUSDT"], 16, 60, 1)
    assert [each.regime for each in rounds[:8]] == ["tape", *TIERS]
    assert [each.band for each in rounds[1:8]] == [SHOWN] * 7
    assert [each.band for each in rounds[9:16]] == [HELD_OUT] * 7
    with pytest.raises(MarketDataError, match="at least 60"):
        draw_rounds([], ["BTCUSDT"], 1, 10, 0)
    with pytest.raises(MarketDataError, match="needs a market"):
        draw_rounds([], ["BTCUSDT"], 1, 100, 0, [])


def test_every_tier_does_what_it_is_named_for() -> None:
    windows = {tier: made_window(tier, ["BTCUSDT", "ETHUSDT"], 2000, SHOWN, 0) for tier in TIERS}
    steps = {tier: np.diff(np.log(window.prices[:, 0])) for tier, window in windows.items()}
    assert steps["calm"].std() < 0.6 * steps["trend"].std()
    assert np.abs(steps["jumps"]).max() > 4.0 * np.abs(steps["calm"]).max()
    crash = windows["crash"].prices[:, 0]
    assert (1.0 - crash / np.maximum.accumulate(crash)).max() > 0.12
    market = window_market(windows["halt"])
    assert len(market.conditions) > 100
    assert all("halted" in reason for each in market.conditions.values() for reason in each.barred.values())
    whipsaw = steps["whipsaw"]
    assert np.corrcoef(whipsaw[1:], whipsaw[:-1])[0, 1] < -0.2
    assert np.isnan(windows["thin"].prices).mean() > 0.5
    assert np.isfinite(windows["thin"].prices[0]).all()
    other = made_window("calm", ["BTCUSDT", "ETHUSDT"], 2000, HELD_OUT, 0)
    assert not np.allclose(other.prices, windows["calm"].prices)
    assert np.array_equal(made_window("calm", ["ETHUSDT", "BTCUSDT"], 2000, HELD_OUT, 0).prices, other.prices)
    with pytest.raises(ValueError, match="no tier 'mad'; there are calm"):
        made_window("mad", ["BTCUSDT"], 100, SHOWN, 0)


def test_made_markets_have_the_facts_of_real_ones() -> None:
    """The market of a season, and the tiers that are usual ones."""
    made, prices = SyntheticMarket(5, ("BTCUSDT",), 60.0), []
    now = made.first()
    for n in range(1, 8001):
        now = made.next(n, now)
        prices.append(now["BTCUSDT"])
    series = {"season": np.array(prices)}
    series |= {tier: made_window(tier, ["BTCUSDT"], 8000, SHOWN, 1).prices[:, 0] for tier in ("calm", "jumps")}
    for name, values in series.items():
        facts = stylised_facts(values)
        assert (facts.fat_tails, facts.uncorrelated, facts.clusters) == (True, True, True), (name, facts)
    chance = np.random.default_rng(2)
    walk = stylised_facts(np.exp(np.cumsum(chance.normal(0.0, 1e-3, 8000))))
    assert (walk.fat_tails, walk.uncorrelated, walk.clusters) == (False, True, False)
    with pytest.raises(ValueError, match="needs 500 returns, has 9"):
        stylised_facts(np.arange(1.0, 11.0))


@pytest.mark.skipif(not BARS.is_dir(), reason="the shared market files are not here")
def test_real_markets_have_the_facts_that_made_ones_are_held_against() -> None:
    for name in ("binance_um_avaxusdt_1m_20260201_14d.csv.gz", "binance_um_ltcusdt_1m_20260201_14d.csv.gz"):
        market = read_market([str(BARS / name)], None, 60.0, lambda _: None)
        facts = stylised_facts(market.marks[:, 1])
        assert (facts.fat_tails, facts.uncorrelated, facts.clusters) == (True, True, True), (name, facts)


@pytest.mark.system
def test_the_command_writes_table_csv_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.cli.main import app, spread_data

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(HOLDER)
    (tmp_path / "b.py").write_text(IDLER)
    rows = "".join(f"{1_700_000_000 + 60 * n},BTCUSDT,{60_000 + n}\n" for n in range(200))
    (tmp_path / "tape.csv").write_text("time,symbol,price\n" + rows)
    given = [
        "tournament",
        "a.py",
        "b.py",
        "--rounds",
        "4",
        "--ticks",
        "80",
        "--tiers",
        "calm,halt",
        "--json",
        "out.json",
        "--csv",
        "out.csv",
    ]
    given += ["--report", "out.html", "--data", "tape.csv"]
    done = CliRunner().invoke(app, spread_data(given))
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert [each["regime"] for each in found["rounds"]] == ["tape", "calm", "halt", "tape"]
    assert (tmp_path / "out.csv").read_text("utf-8").splitlines()[0].endswith("tape,calm,halt,shown")
    page = (tmp_path / "out.html").read_text("utf-8")
    assert "<h1>Tournament of 2 bots, 4 rounds</h1>" in page
    assert found["words"] in page
    wrong = CliRunner().invoke(app, ["tournament", "a.py", "--tiers", "mad"])
    assert "There is no tier 'mad'" in str(wrong.exception)
