"""Makes docs/performance.md of a results file: python -m benchmarks.report [RESULTS [PAGE]]."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import Question, Table, goal_row, number, pick
from benchmarks.machine import in_words, is_loaded
from benchmarks.questions import QUESTIONS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "performance.md"

_HEAD = """\
# Performance

{start}

{loaded}

Quote the ratios: machines differ, and the same one differs from minute to minute, but both sides of a ratio were
measured in turns in the same run. Where a goal is an absolute time, the baseline of the same minutes stands beside it.
This page is made from `benchmarks/results.json`; do not edit it.
"""

_TAIL = """\
## How it is measured

- Each benchmark is a process of its own; they run one after another, never at the same time.
- A ratio sets us against a baseline that the same program measures in the same run, round by round, so that a busy
  moment strikes both. Figures are medians of at least five rounds; where the fastest and the slowest round are known,
  they stand in brackets. p50 and p99 are taken over all ticks, starts or requests of a run.
- The baselines: a plain loop is the same bot with the same ledger in one Python process, without any wall. A bare
  pipe barrier is as many forked children that echo what they get. Both are close to what the machine can do at all.
- Other engines are installed by pip, at the versions named, into `.venv-bench/`, and touch nothing else. Where one
  cannot be installed, its row says so.
- Goals that are absolute times are meant for an idle machine with two CPUs.

## How to run it again

```bash
make bench                                               # everything, and this page
.venv/bin/python -m benchmarks.run --quick               # small sizes, two minutes; writes benchmarks/results/quick.md
.venv/bin/python -m benchmarks.run --only replay peers   # some of it; the rest of this page stays
```

What each program does is in [benchmarks/README.md](../benchmarks/README.md).
"""


def page(results: dict[str, Any]) -> str:
    """Return the whole page."""
    here, benches = results["machine"], results["benches"]
    sections = [_section(question, benches.get(question.bench, {}), here) for question in QUESTIONS]
    return "\n".join([_head(results), *sections, _TAIL])


def _head(results: dict[str, Any]) -> str:
    benches = results["benches"].values()
    days = sorted({bench["day"] for bench in benches})
    start = (
        "What it costs to play bots that nobody trusts, and how that compares with engines that trust theirs. "
        f"Every figure was measured by `make bench` on {in_words(results['machine'])}, unless its section names "
        "another machine. "
    )
    if days:
        start += f"Measured on {' and '.join(days)}, Arena {results['arena']}. "
    if any(bench["quick"] for bench in benches):
        start += "**Some of it is a quick run at small sizes, which only shows that everything works.**"
    return _HEAD.format(start=_wrapped(start), loaded=_wrapped(_loaded(results)))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _loaded(results: dict[str, Any]) -> str:
    benches = list(results["benches"].values())
    total = sum(bench["seconds"] for bench in benches) or 1.0
    others, stolen = (
        sum(bench[key] * bench["seconds"] for bench in benches) / total for key in ("others_cpus", "stolen_cpus")
    )
    start, end = (max((bench[key] for bench in benches), default=0.0) for key in ("load_at_start", "load_at_end"))
    loaded = is_loaded(start, others, results["machine"]["cpus"])
    return (
        f"Measured while the machine was loaded: **{'yes' if loaded else 'no'}**. The load average was {number(start)} "
        f"before and {number(end)} after; other programs kept {number(others)} CPUs busy meanwhile, and the host of "
        f"the machine withheld {number(stolen)}."
        + (" Absolute times and goals below are to be read with that in mind." if loaded else "")
    )


def _section(question: Question, bench: dict[str, Any], here: dict[str, Any]) -> str:
    figures = bench.get("figures")
    goals = [goal_row(goal, figures, quick=bench.get("quick", False)) for goal in question.goals]
    parts = [
        f"## {question.title}\n", f"{_wrapped(question.meaning)}\n",
        _table(("What", "Goal", "Measured", "Beside it", "Verdict"), goals),
    ]  # fmt: skip
    elsewhere = bench.get("machine", here)
    if figures is not None:
        where = "" if elsewhere == here else f" on {in_words(elsewhere)}"
        loads = f"{number(bench['load_at_start'])} before and {number(bench['load_at_end'])} after"
        told = f"Measured on {bench['day']}{where}; the load average was {loads}."
        parts.append(f"{_wrapped(told)}\n")
    if figures is None:
        parts.append(f"Not measured: {bench.get('failed', 'this benchmark was not run.')}\n")
    parts += [_rows(table, pick(figures, table.place)) for table in question.tables]
    return "\n".join(part for part in parts if part)


def _rows(table: Table, rows: Any) -> str:
    """Return a table of rows; nothing where there are none."""
    named = rows.items() if isinstance(rows, dict) else [("", row) for row in rows or []]
    cells = [[_cell(name, row, key) for _, key in table.columns] for name, row in named]
    if not cells:
        return ""
    caption = f"{_wrapped(table.caption)}\n\n" if table.caption else ""
    return caption + _table([heading for heading, _ in table.columns], cells)


def _cell(name: str, row: dict[str, Any], key: str) -> str:
    if not key:
        return f"{name} (not here: {row['missing']})" if "missing" in row else name
    value = row.get(key)
    return " to ".join(map(number, value)) if isinstance(value, list) else number(value)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(results: Path = RESULTS, target: Path = PAGE) -> None:
    """Write the page of a results file."""
    target.write_text(page(json.loads(results.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:3]))
