"""The state of the running season that the parts of the engine share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from arena.clock import CLOCK
from arena.core.exchange import Rules
from arena.core.season_rules import SeasonRules
from arena.dates import entry_problem
from arena.store.models import Season


@dataclass(slots=True)
class MarketState:
    """The market as of the last tick.

    `ended` are the symbols that have been settled for good. `version` counts the changes of `symbols`.
    """

    n: int = -1
    time: float = 0.0
    prices: dict[str, float] = field(default_factory=dict)
    last_prices: dict[str, float] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    version: int = 0
    ended: dict[str, float | None] = field(default_factory=dict)

    def admit_symbols(self, prices: Mapping[str, float]) -> None:
        """Add the symbols that have a price for the first time."""
        new = [symbol for symbol in prices if symbol not in self.last_prices]
        if new:
            self.symbols = tuple(sorted({*self.symbols, *new}))
            self.version += 1


@dataclass(slots=True)
class SeasonState:
    """One season as it runs: changed by the engine's thread only, read by any.

    `chance` is the secret seed that the bots' own seeds follow from. `phase` is one of starting, recovering,
    waiting, running, finished, stopped, failed; `problem` says why a tick cannot be recorded. A season that is
    `followed` has the next one begin at its end.
    """

    season: Season
    rules: Rules
    chance: str
    market: MarketState
    phase: str = "starting"
    problem: str | None = None
    followed: bool = False

    def entry_problem(self) -> str | None:
        """Return why no bot can come in any more, None while one can: after the entry deadline, or at the end."""
        season = self.season
        if season.status == "closed":
            return (
                f"Season {season.number} is closed and takes no more strategies: open the next one with "
                "`arena season new`, then try again."
            )
        now = self.market.time if season.feed.startswith("replay:") else max(CLOCK.now(), self.market.time)
        following = season.ends_at if self.followed else None
        return entry_problem(season.number, SeasonRules.of(season.model_dump()), now, following)
