"""The page, the API's documentation, health and metrics; all assets are served by us."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from arena import __version__
from arena.web.context import Ctx
from arena.web.metrics import exposition
from arena.web.problems import problem_response

_HERE = Path(__file__).parent
_SWAGGER = Path(fastapi_offline.__file__).parent / "static"

_DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Arena API</title>
<link rel="icon" href="/static/favicon.svg">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="stylesheet" href="/static/docs.css">
</head>
<body>
<main id="swagger-ui"></main>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script>
</body>
</html>
"""

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(_HERE / "templates")


def install(app: FastAPI) -> None:
    """Add the pages and their files."""
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.mount("/docs/assets", StaticFiles(directory=_SWAGGER), name="swagger")
    app.include_router(router)


@router.get("/", response_class=HTMLResponse)
def index(request: Request, context: Ctx) -> Response:
    """Return the page."""
    values = {
        "version": __version__,
        "source_bytes": context.settings.limits.source_bytes,
        "token_required": bool(context.settings.arena_token.get_secret_value()),
    }
    return templates.TemplateResponse(request, "index.html", values)


@router.get("/docs", response_class=HTMLResponse)
def docs() -> Response:
    """Return the API's documentation; its script is ours too, so that no inline script is needed."""
    return HTMLResponse(_DOCS)


@router.get("/healthz", response_class=PlainTextResponse)
def healthz() -> str:
    """Say that the process answers."""
    return "ok\n"


@router.get("/readyz")
def readyz(context: Ctx) -> Response:
    """Say whether the clock runs."""
    state = context.engine.state
    if state in {"running", "waiting", "finished"}:
        return PlainTextResponse("ready\n")
    return problem_response(503, f"The engine is {state}.")


@router.get("/metrics")
def metrics(context: Ctx) -> Response:
    """Return figures for Prometheus."""
    body, content_type = exposition(context)
    return Response(body, media_type=content_type)
