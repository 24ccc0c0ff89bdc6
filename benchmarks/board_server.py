"""The arena's app over a season of many bots, without its workers: what `bench_board` asks."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI, Request
from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from arena.config import Settings
from arena.core.exchange import Rules
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.engine import Engine
from arena.engine.live.pacing import LiveBeats
from arena.engine.live.sources import TickSource
from arena.store.bulk import Row, insert_rows
from arena.store.database import open_database, upgrade
from arena.store.models import Bot, Entry, Season, Standing
from arena.store.receipts import Signer
from arena.store.recorder import Recorder, TickWrites
from arena.store.recovered import recover
from arena.store.seasons import SeasonPlan, new_id, resume_or_open
from arena.web import schemas
from arena.web.context import AppState, SeasonRun
from arena.web.server import create_app
from arena.web.serving import server_config

BOTS = 1000
PLAN = SeasonPlan("synthetic", ("BTCUSDT", "ETHUSDT"), 1.0, Rules(), 7)
START = 1_700_000_000.0


def season_of(database: Database, count: int) -> tuple[Season, list[Row]]:
    """Open a season with so many admitted bots; return it and the bots."""
    season, _ = resume_or_open(database, PLAN, runtime={})
    bots: list[Row] = [
        {
            "id": new_id(), "name": f"Bot {n}", "bot_name": f"Bot {n}", "author": "local", "origin": "upload",
            "model": None, "version": 1, "source": "", "source_hash": f"{n:064x}", "symbols": ["BTCUSDT"],
            "path": None, "submission_id": None, "created_at": START,
        }
        for n in range(count)
    ]  # fmt: skip
    entries = [
        {
            "season_id": season.id, "bot_id": bot["id"], "bot_name": bot["bot_name"], "status": "active", "reason": "",
            "admitted_at": START, "admitted_tick": 0, "errors": 0,
        }
        for bot in bots
    ]  # fmt: skip
    with database.begin() as connection:
        insert_rows(connection, Bot, bots)
        insert_rows(connection, Entry, entries)
    return season, bots


def standings(season: Season, bots: Sequence[Row], tick: int) -> list[Row]:
    """Return the ranked rows of a snapshot."""
    return [
        {
            "season_id": season.id, "bot_id": bot["id"], "rank": n + 1, "cash": 4_000 + n / 7, "tick": tick,
            "equity": 11_000 - n / 3, "realized_pnl": 500 - n / 11, "unrealized_pnl": 500 + n / 13, "fees": n / 17,
            "return_pct": 10 - n / 300, "max_drawdown_pct": n / 19, "sharpe": 1 / (n + 3), "win_rate_pct": n / 23,
            "turnover": n / 29, "exposure_pct": n / 31, "trades": n, "rejected": n % 7, "errors": 0,
            "as_of": START + tick, "positions": {"BTCUSDT": n / 1e5, "ETHUSDT": n / 1e4},
            "score": {
                "starting_cash": 1e4, "peak": 11_000 + n / 3, "max_drawdown": n / 1900, "ticks": tick, "trades": n,
                "exposed_ticks": n, "sells": n // 2, "wins": n // 3, "rejected": n % 7, "traded_value": n / 7,
                "last_equity": 11_000 - n / 3, "returns": tick // 10, "return_mean": n / 1e7, "return_m2": n / 1e9,
            },
        }
        for n, bot in enumerate(bots)
    ]  # fmt: skip


class _NoFeed:
    """A market that nobody asks."""

    symbols = ("BTCUSDT", "ETHUSDT")
    beats = LiveBeats(1.0)
    deadline = None


def arena_app(database: Database, season: Season) -> FastAPI:
    """Return the real app; its engine holds the seats but does not run."""
    from arena.engine.seat import restored_seat

    settings = Settings(_env_file=None)
    engine = Engine(database, cast(Any, None), cast(TickSource, _NoFeed()), season, Broadcast())
    found = recover(database, season.id)
    for bot, entry in found.entries:
        engine.roster.put(restored_seat(bot, entry, Rules(), [], [], found.standings.get(bot.id)))
    engine.market.n, engine.market.time = 0, START
    unused = cast(Any, None)
    return create_app(AppState(
        settings=settings, database=database, pool=unused, run=SeasonRun(season, engine, unused, unused, unused),
        broadcast=Broadcast(), desk=unused, pipeline=unused, jobs=unused, outbox=unused,
        signer=Signer(Ed25519PrivateKey.generate()),
        status=dict, close_season=dict, new_season=lambda _: {},
    ))  # fmt: skip


def add_baseline(app: FastAPI, database: Database, season: Season) -> None:
    """Add the usual way to serve a board: select models, let the framework encode them."""

    @app.get("/baseline", response_model=schemas.BoardPage)
    def baseline(request: Request) -> dict[str, Any]:
        del request
        with Session(database) as session:
            query = select(Bot, Entry, Standing).where(
                Entry.season_id == season.id, Bot.id == Entry.bot_id,
                Standing.bot_id == Entry.bot_id, Standing.season_id == Entry.season_id,
            ).order_by(col(Standing.rank))  # fmt: skip
            items = [
                {
                    **standing.model_dump(), "name": entry.bot_name, "author": bot.author, "origin": bot.origin,
                    "model": bot.model, "status": entry.status, "errors": entry.errors, "last_error": entry.last_error,
                    "verified": entry.verified_words, "verified_tick": entry.verified_tick,
                }
                for bot, entry, standing in session.exec(query)
            ]  # fmt: skip
            shown = session.get(Season, season.id)
            assert shown is not None
            return {"season": shown.model_dump(), "as_of": items[0]["as_of"], "items": items}


def serve(listening: socket.socket, folder: Path, count: int) -> None:
    """Fill a database and serve it, with the server's own settings."""
    database = open_database(f"sqlite:///{folder / 'lab.db'}")
    upgrade(database)
    season, bots = season_of(database, count)
    Recorder(database).record(TickWrites(standings=standings(season, bots, 0)))
    app = arena_app(database, season)
    add_baseline(app, database, season)
    uvicorn.Server(server_config(app)).run(sockets=[listening])
