"""Health, readiness and figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from arena.web.context import Ctx, Waiting
from arena.web.metrics import exposition
from arena.web.problems import problem_response

router = APIRouter(include_in_schema=False)


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
def metrics(context: Ctx, lines: Waiting) -> Response:
    """Return figures for Prometheus."""
    body, content_type = exposition(context, lines.streams.present)
    return Response(body, media_type=content_type)
