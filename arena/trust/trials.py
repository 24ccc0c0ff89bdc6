"""How often an author has tried: every program of one author and one prompt counts, kept or not.

Counted from the arena's own rows: each version of a bot, each sample of a prompt, each repair that reached a trial; and
from what evolved programs tell of themselves: each child that was tried beside them.
Who shows only the best of many tries shows the luck of the draw; the deflated Sharpe ratio takes it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, select

from arena.core.lineage import OPENING, tried_elsewhere
from arena.core.statistics.sharpe import effective_trials
from arena.store.bulk import table_of
from arena.store.models import Attempt, Bot, Submission
from arena.trust.series import SeasonSeries

Floats = npt.NDArray[np.float64]
# What is said of a bot that was played: its trial run, what it did on the tapes.
_PLAYED = ("trial-run", "cannot-work", "behaviour-")


@dataclass(frozen=True, slots=True)
class Trials:
    """The tries behind one bot, by kind; `bots` are those of the author that have played."""

    versions: int
    samples: int
    repairs: int
    evolved: int
    bots: tuple[str, ...]

    @property
    def count(self) -> int:
        """Return K, at least 1."""
        return max(1, self.versions + self.samples + self.repairs + self.evolved)


def trials_of(engine: Engine, bot_id: str) -> Trials:
    """Return the tries of a bot's author: all versions under all names, and all that models wrote for the author.

    All names of an author count together: a new name after a loss begins nothing anew.
    """
    bots, submissions, attempts = table_of(Bot), table_of(Submission), table_of(Attempt)
    with engine.connect() as connection:
        author = connection.execute(select(bots.c.author).where(bots.c.id == bot_id)).scalar_one()
        own = connection.execute(
            select(bots.c.id, bots.c.submission_id, bots.c.source_hash).where(bots.c.author == author)
        ).all()
        written = connection.execute(
            select(submissions.c.id, attempts.c.n, attempts.c.violations, attempts.c.source)
            .join(attempts, attempts.c.submission_id == submissions.c.id)
            .where(submissions.c.author == author)
            .order_by(submissions.c.id, attempts.c.n)
        ).all()
        told = connection.execute(
            select(bots.c.source_hash, bots.c.source).where(
                bots.c.author == author, bots.c.source.startswith(OPENING, autoescape=True)
            )
        ).all()
    sources = {row.source_hash for row in own if row.submission_id is None}
    tried = [row for row in written if row.source is not None and _was_played(row.violations)]
    samples = {row.id for row in tried} | {row.submission_id for row in own if row.submission_id is not None}
    first = {row.id: row.n for row in reversed(tried)}
    repairs = sum(row.n != first[row.id] for row in tried)
    evolved = tried_elsewhere({row.source_hash: row.source for row in told}.values())
    return Trials(len(sources), len(samples), repairs, evolved, tuple(row.id for row in own))


def _was_played(violations: Sequence[dict[str, Any]]) -> bool:
    """Say whether an answer was played: taken, or refused for what it did, which went back to its writer."""
    return all(str(found["rule"]).startswith(_PLAYED) for found in violations)


def effective_of(series: SeasonSeries, bots: tuple[str, ...]) -> tuple[float, Floats]:
    """Return K_eff of these bots in a season, and their Sharpe ratios per period; copies count once."""
    places = [series.bots.index(bot) for bot in bots if bot in series.bots]
    returns = series.returns()[:, places] if places else np.empty((0, 0))
    known = returns[:, (~np.isnan(returns)).sum(axis=0) >= 30] if returns.size else returns
    if not known.size:
        return 1.0, np.empty(0)
    filled = np.where(np.isnan(known), 0.0, known)
    sharpes = []
    for column in known.T:
        values = column[~np.isnan(column)]
        deviation = float(np.std(values, ddof=1))
        if deviation > 0.0:
            sharpes.append(float(values.mean()) / deviation)
    return effective_trials(filled), np.array(sharpes)
