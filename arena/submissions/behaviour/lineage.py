"""What a model is given to change a bot: its code, claims, results, findings and log, all as data."""

from __future__ import annotations

import difflib
import json
from typing import Any

from sqlalchemy import Engine

from arena.store import queries
from arena.store.behaviour import report_of

_LOG_LINES, _FINDINGS = 40, 12
_MAX_DIFF = 64 * 1024


def revision_material(database: Engine, bot_id: str) -> dict[str, str]:
    """Return what the words of `prompts/revise.md` are filled with, the request itself apart.

    Results and log are those of the bot's own season, which may have ended.
    """
    season_id = queries.last_season_of(database, bot_id)
    report = report_of(database, bot_id) or {}
    findings = [
        f"- {each['check']}: {each['message']}"
        for each in report.get("findings", ()) if each["outcome"] == "not met"
    ]  # fmt: skip
    logs, _ = queries.page(database, queries.TABLES["logs"], season_id, bot_id=bot_id, limit=_LOG_LINES, cursor=None)
    row = queries.bot_row(database, season_id, bot_id)
    return {
        "source": queries.source_of(database, bot_id),
        "claims": json.dumps(report.get("claims", {})),
        "results": json.dumps(_results(row)),
        "findings": "\n".join(findings[:_FINDINGS]) or "none",
        "log": "\n".join(f"tick {line['tick']} {line['level']} {line['message']}" for line in reversed(logs))
        or "empty",
    }


def _results(row: dict[str, Any]) -> dict[str, Any]:
    names = ("status", "equity", "return_pct", "max_drawdown_pct", "sharpe", "trades", "win_rate_pct", "errors",
             "last_error", "fees")  # fmt: skip
    return {name: row[name] for name in names if row.get(name) is not None}


def revision_diff(before: str, after: str) -> str | None:
    """Return the unified diff between two versions, None where nothing has changed."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2)
    return "\n".join(lines)[:_MAX_DIFF] or None
