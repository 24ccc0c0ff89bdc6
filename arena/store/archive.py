"""A backtest written into a database of its own: the same tables as a season on the server."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel

from arena.store.bulk import insert_rows
from arena.store.database import open_database, upgrade
from arena.store.models import Bot, Entry, EquityRow, OrderRow, Tick, Trade
from arena.store.seasons import SeasonPlan, close_season, resume_or_open


def runtime_facts() -> dict[str, Any]:
    """Return what decides whether a replay elsewhere is bit-identical."""
    import numpy as np

    version = platform.python_version_tuple()
    return {
        "python": f"{version[0]}.{version[1]}",
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def write_season(
    path: Path,
    plan: SeasonPlan,
    bots: Sequence[dict[str, Any]],
    rows: dict[str, list[dict[str, Any]]],
) -> str:
    """Write a closed season with its bots and rows; return its id."""
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    season, _ = resume_or_open(engine, plan, runtime=runtime_facts(), note="backtest")
    models: dict[str, type[SQLModel]] = {
        "ticks": Tick,
        "orders": OrderRow,
        "trades": Trade,
        "equity": EquityRow,
    }
    with engine.begin() as connection:
        for bot in bots:
            now = time.time()
            insert_rows(connection, Bot, [{**bot["row"], "created_at": now}])
            insert_rows(connection, Entry, [{**bot["entry"], "season_id": season.id}])
        for name, model in models.items():
            insert_rows(connection, model, [{**row, "season_id": season.id} for row in rows[name]])
    close_season(engine, season.id)
    engine.dispose()
    return season.id
