"""The archive of an evolution: of each kind of bot the best one, so that what is tried stays varied.

A kind is style, turnover and drawdown together, as seen on the train tapes; the best one has the highest Sharpe ratio
there. Source: Mouret, Clune, Illuminating Search Spaces by Mapping Elites, arXiv 1504.04909, 2015.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from arena.submissions.evolution.trial import DRAWDOWNS, STYLES, TURNOVERS, Kind

Row = dict[str, Any]


class Archive:
    """Takes the lines of an evolution one after the other."""

    def __init__(self) -> None:
        self.cells: dict[Kind, Row] = {}
        self._starters: list[Row] = []

    def place(self, line: Row) -> bool:
        """Take a line; say whether it is the best of its kind now."""
        if line["parent"] is None:
            self._starters.append(line)
        if not may_be_chosen(line):
            return False
        kind = kind_of_line(line)
        holder = self.cells.get(kind)
        if holder is not None and holder["train"]["sharpe"] >= line["train"]["sharpe"]:
            return False
        self.cells[kind] = line
        return True

    def parent(self, chance: np.random.Generator) -> Row:
        """Draw a parent: each kind alike; one of the first bots where the archive is empty."""
        found = [self.cells[kind] for kind in sorted(self.cells)] or self._starters
        return found[int(chance.integers(len(found)))]

    def empty(self) -> list[Kind]:
        """Return the kinds that have nobody."""
        return [kind for kind in product(STYLES, TURNOVERS, DRAWDOWNS) if kind not in self.cells]


def may_be_chosen(line: Row) -> bool:
    """Say whether a line stands for a bot with a Sharpe ratio, refused by nothing."""
    return not line["refused"] and line["kind"] is not None


def kind_of_line(line: Row) -> Kind:
    """Return the kind that a stored line names."""
    style, turnover, drawdown = line["kind"]
    return style, turnover, drawdown
