"""What a bot must be, as text for whoever writes one: the words that models are told, with the season's facts."""

from __future__ import annotations

from typing import Any

from arena.config import ROOT
from arena.submissions.prompt_text import SeasonFacts, system_message
from arena.web.context import AppState

EXAMPLE = ROOT / "bots" / "example_trend.py"
_BEGINNING = "## The file"  # before it, models are told in which form to answer


def contract_document(context: AppState) -> dict[str, Any]:
    """Return the contract, an example, and the rules of the season that is played."""
    season = context.engine.season
    facts = SeasonFacts(
        tuple(season.symbols),
        season.interval,
        season.starting_cash,
        season.fee_bps,
        context.settings.tick_cpu_soft,
        season.delay_ticks,
    )
    text = system_message(facts)["content"]
    return {
        "text": text[text.index(_BEGINNING) :], "example": EXAMPLE.read_text("utf-8"), "season": season.number,
        "feed": season.feed, "symbols": season.symbols, "interval": season.interval,
        "starting_cash": season.starting_cash, "fee_bps": season.fee_bps, "slippage_bps": season.slippage_bps,
        "fills_a_day": season.fills_a_day, "delay_ticks": season.delay_ticks,
        "entry_problem": context.engine.entry_problem,
    }  # fmt: skip
