"""The board by model, prompt, author or origin, and how much of a result is luck."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sqlalchemy import Engine, select

from arena.core.lineage import OPENING, tried_elsewhere
from arena.core.statistics.variance import variance_shares
from arena.store import queries
from arena.store.bulk import table_of
from arena.store.models import Attempt, Bot, Entry, Submission

By = Literal["model", "prompt", "author", "origin"]


def board_groups(engine: Engine, season_id: str, by: By) -> dict[str, Any]:
    """Return a season's bots grouped, best mean first, and what share of the spread of returns lies where."""
    rows = queries.board(engine, season_id)
    prompts = _submissions(engine)
    bots = queries.bot_submissions(engine, season_id)
    for row in rows:
        submission = prompts.get(bots.get(row["bot_id"]) or "")
        row["prompt"] = submission["prompt"] if submission else None
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[str(row[by] or "none")].append(row)
    told = _evolved(engine, season_id)
    for row in rows:
        row["source"] = told.get(row["bot_id"], "")
    asked = [entry for entry in prompts.values() if by != "origin"]
    items = [_group(name, found, [e for e in asked if str(e[by] or "none") == name]) for name, found in groups.items()]
    items.sort(key=lambda item: (item["mean_return_pct"] is None, -(item["mean_return_pct"] or 0.0), item["name"]))
    written = [row for row in rows if row["prompt"] is not None and row["return_pct"] is not None]
    return {
        "by": by, "items": items,
        "variance": variance_shares(
            [float(row["return_pct"]) for row in written],
            [str(row["model"]) for row in written],
            [str(row["prompt"]) for row in written],
        ),
    }  # fmt: skip


def _submissions(engine: Engine) -> dict[str, dict[str, Any]]:
    submissions, attempts = table_of(Submission), table_of(Attempt)
    columns = (submissions.c.id, submissions.c.prompt, submissions.c.author, submissions.c.model, submissions.c.status)
    found: dict[str, dict[str, Any]] = {}
    with engine.connect() as connection:
        for row in connection.execute(select(*columns)):
            found[row.id] = {**row._asdict(), "answers": 0, "tokens": 0, "tried": 0, "usd": 0.0}
        columns_of = (
            attempts.c.submission_id, attempts.c.prompt_tokens, attempts.c.completion_tokens, attempts.c.cost_usd,
            attempts.c.source, attempts.c.violations,
        )  # fmt: skip
        for attempt in connection.execute(select(*columns_of)):
            entry = found[attempt.submission_id]
            entry["answers"] += 1
            entry["tokens"] += (attempt.prompt_tokens or 0) + (attempt.completion_tokens or 0)
            # An answer that the language refuses never reached a trial and has seen no market.
            entry["tried"] += attempt.source is not None and not attempt.violations
            # One answer of unknown price makes the sum unknown.
            known = entry["usd"] is not None and attempt.cost_usd is not None
            entry["usd"] = entry["usd"] + attempt.cost_usd if known else None
    return found


def _evolved(engine: Engine, season_id: str) -> dict[str, str]:
    """Return the programs of a season's bots that tell of an evolution."""
    bots, entries = table_of(Bot), table_of(Entry)
    query = (
        select(bots.c.id, bots.c.source)
        .join(entries, entries.c.bot_id == bots.c.id)
        .where(entries.c.season_id == season_id, bots.c.source.startswith(OPENING, autoescape=True))
    )
    with engine.connect() as connection:
        return {row.id: row.source for row in connection.execute(query)}


def _group(name: str, rows: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    returns = [float(row["return_pct"]) for row in rows if row["return_pct"] is not None]
    ended = [entry for entry in asked if entry["status"] in {"admitted", "rejected"}]
    admitted = [entry for entry in ended if entry["status"] == "admitted"]
    tokens = sum(entry["tokens"] for entry in asked)
    costs = [entry["usd"] for entry in asked]
    by_hand = {row["bot_id"] for row in rows if row["prompt"] is None}
    return {
        "name": name, "bots": len(rows),
        "mean_return_pct": float(np.mean(returns)) if returns else None,
        "spread_return_pct": float(np.std(returns, ddof=1)) if len(returns) > 1 else None,
        "best_return_pct": max(returns, default=None),
        "median_return_pct": float(np.median(returns)) if returns else None,
        "never_traded": sum(not row["trades"] for row in rows),
        "submitted": len(asked),
        "admitted_at_first_answer_pct": (
            100.0 * sum(entry["answers"] <= 1 for entry in admitted) / len(ended) if ended else None
        ),
        "repairs": sum(max(0, entry["answers"] - 1) for entry in asked),
        "trials": sum(entry["tried"] for entry in asked) + len(by_hand)
        + tried_elsewhere({row["source"] for row in rows if row["source"]}),
        "tokens_per_admitted_bot": tokens / len(admitted) if admitted else None,
        "usd_per_admitted_bot": None if not admitted or None in costs else sum(costs) / len(admitted),
    }  # fmt: skip
