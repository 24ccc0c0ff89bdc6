"""The board by model, prompt, author or origin, and how much of a result is luck."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sqlalchemy import Engine, select

from arena.core.statistics.variance import variance_shares
from arena.store import queries
from arena.store.bulk import table_of
from arena.store.models import Attempt, Submission

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
            found[row.id] = {**row._asdict(), "answers": 0, "prompt_tokens": 0, "completion_tokens": 0}
        columns_of = attempts.c.submission_id, attempts.c.prompt_tokens, attempts.c.completion_tokens
        for submission_id, prompt_tokens, completion_tokens in connection.execute(select(*columns_of)):
            entry = found[submission_id]
            entry["answers"] += 1
            entry["prompt_tokens"] += prompt_tokens or 0
            entry["completion_tokens"] += completion_tokens or 0
    return found


def _group(name: str, rows: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    returns = [float(row["return_pct"]) for row in rows if row["return_pct"] is not None]
    ended = [entry for entry in asked if entry["status"] in {"admitted", "rejected"}]
    admitted = [entry for entry in ended if entry["status"] == "admitted"]
    tokens = sum(entry["prompt_tokens"] + entry["completion_tokens"] for entry in asked)
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
        "tokens_per_admitted_bot": tokens / len(admitted) if admitted else None,
    }  # fmt: skip
