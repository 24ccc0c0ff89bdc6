"""The lineage of an evolved program: lines at its top that say of how many tried programs it is the chosen one.

`arena evolve` writes them, and they go wherever the file goes. They are the author's own word: who takes them out hides
tries, as who tries by hand and tells nobody does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

OPENING = "# arena evolve: "
_LINE = re.compile(re.escape(OPENING) + r"run ([0-9a-f]{12}), ([0-9]{1,7}) children tried")
_MOST_LINES = 100


def lineage_of(source: str) -> dict[str, int]:
    """Return the children tried by run, a program's own run first; empty where it tells of none."""
    found: dict[str, int] = {}
    for line in source.split("\n", _MOST_LINES)[:_MOST_LINES]:
        told = _LINE.fullmatch(line.rstrip())
        if told is None:
            break
        found.setdefault(told[1], int(told[2]))
    return found


def with_lineage(source: str, run: str, tried: int, before: Mapping[str, int]) -> str:
    """Return a program that tells of its run, and of those `before` it that its parents came from."""
    known = {run: tried, **{name: count for name, count in {**before, **lineage_of(source)}.items() if name != run}}
    lines = [f"{OPENING}run {name}, {count} children tried\n" for name, count in list(known.items())[:_MOST_LINES]]
    return "".join(lines) + without_lineage(source)


def without_lineage(source: str) -> str:
    """Return a program without the lines that tell of runs."""
    return source.split("\n", count)[-1] if (count := len(lineage_of(source))) else source


def tried_elsewhere(sources: Iterable[str]) -> int:
    """Return how many children were tried beside these different programs, each run counted once, at its latest."""
    tried: dict[str, int] = {}
    own: dict[str, int] = {}
    for source in sources:
        lineage = lineage_of(source)
        for place, (run, count) in enumerate(lineage.items()):
            tried[run] = max(tried.get(run, 0), count)
            own[run] = own.get(run, 0) + (place == 0)
    return sum(max(0, count - own[run]) for run, count in tried.items())
