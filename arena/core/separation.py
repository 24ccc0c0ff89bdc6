"""The sentence over a board that says which ranks can be told apart."""

from __future__ import annotations

from collections.abc import Sequence

from arena.core.statistics.sequences import MIN_BATCHES


def separation_words(bands: Sequence[tuple[int, int]], batches: int, ticks: int | None) -> str:
    """Return the sentence over a board; `bands` are first and last rank of each row's tie, best row first."""
    if not bands:
        return "No bot is on the board yet."
    if len(bands) == 1:
        return "One bot alone has nobody to be told apart from."
    first, last = bands[0]
    more = "" if ticks is None else f"; about {rounded(ticks):,} more ticks at this spread until #1 separates from #2"
    if batches < MIN_BATCHES:
        early = f"Nothing can be told apart before {MIN_BATCHES} batches of returns, {batches} so far"
        return f"{early}: the order may be luck{more}."
    if last == first:
        return "#1 is ahead of #2 by more than luck: the difference holds at every look so far."
    return f"#{first} to #{last} cannot be told apart yet{more}."


def rounded(ticks: int) -> int:
    """Return a count at two leading digits: it is an estimate, and looks like one."""
    step = int(10 ** max(0, len(str(ticks)) - 2))
    return -(-ticks // step) * step
