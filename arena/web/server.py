"""Puts the HTTP side together."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI

from arena import __version__
from arena.web import (
    assets,
    health,
    openapi,
    pages,
    problems,
    routes_arena,
    routes_backtests,
    routes_behaviour,
    routes_bots,
    routes_models,
    routes_seasons,
    routes_strategies,
    routes_trust,
)
from arena.web.board import BoardCache, CacheMiddleware
from arena.web.bundles import Bundles
from arena.web.context import AppState
from arena.web.limits import ConcurrencyLimits
from arena.web.season_files import SeasonReports
from arena.web.security import SecurityMiddleware, Tokens

DESCRIPTION = (
    "Say a trading strategy in plain words, upload a handwritten bot, read the board. "
    "Times are Unix seconds, money is in quote currency. Errors are application/problem+json."
)


def create_app(context: AppState) -> FastAPI:
    """Return the app that serves one arena."""
    app = FastAPI(
        title="Arena", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        # Nobody is told of traces here; asking at each request whether someone is costs more than the board does.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    app.state.context = context
    app.state.board = board = BoardCache(context)
    app.state.tokens = tokens = Tokens(context.settings.arena_token.get_secret_value())
    app.state.lines = ConcurrencyLimits()
    app.state.bundles = Bundles()
    app.state.reports = SeasonReports()
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(problems.known_parameters)])
    parts = (
        routes_strategies, routes_models, routes_behaviour, routes_trust, routes_seasons,
        routes_backtests, routes_bots, routes_arena,
    )  # fmt: skip
    for part in parts:
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(health.router)
    assets.install(app)
    pages.install(app)
    problems.install(app, pages.error_page)
    openapi.install(app)
    app.add_middleware(CacheMiddleware, board=board)
    app.add_middleware(SecurityMiddleware, settings=context.settings, tokens=tokens)
    return app
