"""Puts the HTTP side together."""

from __future__ import annotations

import sys

import orjson
from fastapi import Depends, FastAPI

from arena import __version__
from arena.web import (
    access,
    account_pages,
    assets,
    health,
    mcp_endpoint,
    openapi,
    pages,
    problems,
    routes_arena,
    routes_backtests,
    routes_behaviour,
    routes_bots,
    routes_models,
    routes_people,
    routes_seasons,
    routes_strategies,
    routes_tournaments,
    routes_trust,
    routes_webhooks,
)
from arena.web.board import BoardCache, CacheMiddleware
from arena.web.bundles import Bundles
from arena.web.context import AppState
from arena.web.limits import ConcurrencyLimits
from arena.web.observed import ObservedMiddleware
from arena.web.security import SecurityMiddleware, Tokens

DESCRIPTION = (
    "Say a trading strategy in plain words, upload a handwritten bot, read the board. "
    "Times are Unix seconds, money is in quote currency. Errors are application/problem+json."
)


def _bare_app() -> FastAPI:
    """Return an app with the routes of the API, which nothing serves yet."""
    app = FastAPI(
        title="Arena", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        # Nobody is told of traces here; asking at each request whether someone is costs more than the board does.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    # Whoever may not is told so before being told of a misspelt parameter.
    rules = [Depends(access.authorise(access.API)), Depends(problems.known_parameters)]
    for part in (
        routes_strategies, routes_models, routes_behaviour, routes_trust, routes_seasons, routes_backtests,
        routes_tournaments, routes_people, routes_webhooks, routes_bots, routes_arena,
    ):  # fmt: skip
        app.include_router(part.router, prefix=access.API, dependencies=rules)
    openapi.install(app)
    return app


def create_app(context: AppState) -> FastAPI:
    """Return the app that serves one arena."""
    app = _bare_app()
    app.state.context = context
    app.state.board = board = BoardCache(context)
    app.state.tokens = tokens = Tokens(context.settings.arena_token.get_secret_value())
    app.state.lines = ConcurrencyLimits.of(context.settings.streams_per_address)
    app.state.bundles = Bundles()
    app.include_router(health.router)
    assets.install(app)
    pages.install(app)
    app.include_router(account_pages.router)
    mcp_endpoint.install(app)
    problems.install(app, pages.error_page)
    access.refuse_unlisted(app)
    app.add_middleware(CacheMiddleware, board=board)
    app.add_middleware(
        SecurityMiddleware, settings=context.settings, tokens=tokens, database=context.database
    )  # fmt: skip
    app.add_middleware(ObservedMiddleware, measures=context.measures)
    return app


def api_document() -> bytes:
    """Return the OpenAPI document as it is committed in docs/openapi.json: sorted, a member a line."""
    return orjson.dumps(_bare_app().openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(api_document())
