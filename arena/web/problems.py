"""Errors as `application/problem+json` (RFC 9457), one sentence each."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from arena.errors import ArenaError, AuthError, ConflictError, NotFoundError, RefusedError
from sandbox.errors import SandboxError

log = logging.getLogger("arena.web")

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (AuthError, 401),
    (RefusedError, 422),
    (SandboxError, 503),
    (ArenaError, 500),
)


def problem_response(status: int, detail: str, **more: Any) -> JSONResponse:
    """Return a problem document."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({**body, **more}, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    for kind, status in _CODES:
        app.add_exception_handler(kind, _handler(status))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def _handler(status: int) -> Any:
    async def handle(_request: Request, error: Exception) -> Response:
        if isinstance(error, RefusedError):
            return problem_response(status, str(error), violations=error.violations)
        if status >= 500:
            log.error("%s", error)
        return problem_response(status, str(error))

    return handle


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return problem_response(422, f"{where or 'The body'}: {first['msg']}.")


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
    }
    detail = sentences.get(error.status_code, str(error.detail))
    return problem_response(error.status_code, detail)


async def _fault(request: Request, error: Exception) -> Response:
    log.error("A request for %s has failed", request.url.path, exc_info=error)
    return problem_response(500, "A fault of the arena; its log says more.")
