"""Files that browsers load: ours, Swagger UI's, and the chart library; all are served by us."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from functools import cache
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

log = logging.getLogger("arena.web")

HERE = Path(__file__).parent
_SWAGGER = Path(fastapi_offline.__file__).parent / "static"
# TradingView's lightweight-charts 5.2.0, byte for byte as the project publishes it.
CHARTS_SHA256 = "c0992580867c4912cc9385b3c2728315bcc1a76c7f1087dca908430fccdf31d7"

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


def install(app: FastAPI) -> None:
    """Add the files and the API's documentation."""
    for address, folder in (("/static", HERE / "static"), ("/docs/assets", _SWAGGER)):
        app.mount(address, GZipMiddleware(StaticFiles(directory=folder), minimum_size=1000, compresslevel=6))
    app.include_router(router)


@cache
def chart_library() -> bytes:
    """Return the chart library of the installed wheel; ImportError if it is not the pinned one."""
    # The wheel's own Python code is never imported: only its file is wanted.
    spec = importlib.util.find_spec("lwcharts")
    if spec is None or spec.origin is None:
        raise ImportError("The package lwcharts, which carries the chart library, is not installed.")
    body = (Path(spec.origin).parent / "vendor" / "lightweight-charts.standalone.production.js").read_bytes()
    if hashlib.sha256(body).hexdigest() != CHARTS_SHA256:
        raise ImportError("The chart library of lwcharts is another one than the pinned lightweight-charts 5.2.0.")
    return body


@router.get("/vendor/lightweight-charts-5.2.0.js")
def charts() -> Response:
    """Return the chart library; the address names its version, so browsers may keep it."""
    try:
        body = chart_library()
    except ImportError as error:
        log.error("%s Pages show no charts.", error)
        raise HTTPException(404) from None
    headers = {"cache-control": "public, max-age=31536000, immutable", "etag": f'"{CHARTS_SHA256[:32]}"'}
    return Response(body, headers=headers, media_type="text/javascript")


@router.get("/docs", response_class=HTMLResponse)
def docs() -> Response:
    """Return the API's documentation; its script is ours too, so that no inline script is needed."""
    return HTMLResponse(_DOCS)
