"""Errors as `application/problem+json` (RFC 9457), in sentences that say what to do."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from arena.core.text import clean_line
from arena.errors import (
    ArenaError,
    AuthError,
    BusyError,
    ConflictError,
    MarketDataError,
    MissingLibraryError,
    NotFoundError,
    RefusedError,
    TooLargeError,
)
from arena.log import request_id
from arena.web.text import json_bytes
from sandbox.errors import SandboxError

log = logging.getLogger("arena.web")

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (TooLargeError, 409),
    (AuthError, 401),
    (RefusedError, 422),
    (MarketDataError, 422),
    (SandboxError, 503),
    (MissingLibraryError, 503),
    (ArenaError, 500),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SHOWN = 5  # errors of one body that are told in its sentence
_MOST_ERRORS = 50  # and in its list


class TooManyError(ArenaError):
    """A client asks for more at once than is its share: 429."""


def problem(status: int, detail: str) -> dict[str, Any]:
    """Return the members that every problem document has."""
    shown = clean_line(detail, 2000)
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": shown}


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:  # fmt: skip
    """Return a problem document; `more` are members of its own."""
    given = dict(headers or {})
    if status == 401:
        given["www-authenticate"] = "Bearer"
    if status in {429, 503}:
        given.setdefault("retry-after", "2")
    asked = request_id()
    if asked is not None:
        given["x-request-id"] = asked
        more = {"request_id": asked, **more}
    body = json_bytes({**problem(status, detail), **more})
    return Response(body, status, given, media_type="application/problem+json")


class UnknownParameterError(HTTPException):
    """A query parameter that a route does not know; `names` are all of them."""

    def __init__(self, sentence: str, names: list[str]) -> None:
        super().__init__(422, sentence)
        self.names = names


ErrorPage = Callable[[Request, int, str], Response]


def install(app: FastAPI, error_page: ErrorPage) -> None:
    """Answer every error with a problem document; a browser that asks for no part of the API gets a page."""
    app.state.error_page = error_page
    for kind, status in _CODES:
        app.add_exception_handler(kind, _handler(status))
    app.add_exception_handler(TooManyError, _handler(429))
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SQLAlchemyError, _away)
    app.add_exception_handler(TimeoutError, _late)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _fault)


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def _handler(status: int) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, NotFoundError) and _wants_page(request):
            return await run_in_threadpool(request.app.state.error_page, request, status, str(error))
        if isinstance(error, RefusedError):
            errors = [
                {"detail": f"{one['message']} {one['hint']}".strip(), "line": one["line"], "column": one["column"],
                 "rule": one["rule"]}
                for one in error.violations[:_MOST_ERRORS]
            ]  # fmt: skip
            return problem_response(status, str(error), violations=error.violations, errors=errors)
        if status >= 500:
            log.error("%s", error)
        return problem_response(status, str(error))

    return handle


async def _busy(_request: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)
    more = {} if error.resets_at is None else {"resets_at": error.resets_at}
    return problem_response(429, str(error), {"retry-after": str(max(1, math.ceil(error.retry_after)))}, **more)


# -- what is wrong with a request


async def known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not know; a misspelt one would else be without effect."""
    if not request.query_params:
        return
    known = _query_names(request.scope["route"].dependant)
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        named = ", ".join(f"'{name}'" for name in unknown[:_SHOWN])
        offered = f"It knows {', '.join(known)}." if known else "It takes none."
        plural = "s" if len(unknown) > 1 else ""
        sentence = f"This address does not know the query parameter{plural} {named}. {offered}"
        raise UnknownParameterError(sentence, unknown[:_MOST_ERRORS])


def _query_names(dependant: Dependant) -> list[str]:
    """Return the query parameters of a route and of all that it depends on."""
    own = [field.alias for field in dependant.query_params]
    return sorted({*own, *(name for one in dependant.dependencies for name in _query_names(one))})


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError | ValidationError)
    allowed = allowed_methods(request) if request.url.path.startswith("/api/") else [request.method]
    if request.method not in allowed:
        # Another route's placeholder has taken an address of its own, as {number} takes /seasons/close.
        return problem_response(405, _FRAMEWORKS[405], {"allow": ", ".join(allowed)})
    return problem_response(422, in_our_words(error), errors=_errors(error))


def _errors(error: RequestValidationError | ValidationError) -> list[dict[str, str]]:
    """Return each finding with its place: a JSON pointer into the body, or the name of a parameter or header."""
    found = []
    for one in list(error.errors())[:_MOST_ERRORS]:
        place = list(one["loc"])
        where = str(place[0]) if isinstance(error, RequestValidationError) and place else "body"
        inner = place[1:] if isinstance(error, RequestValidationError) else place
        said = {"detail": _sentence(one, inner)}
        if where == "body":
            said["pointer"] = "#" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in inner)
        else:
            said["header" if where == "header" else "parameter"] = ".".join(str(part) for part in inner)
        found.append(said)
    return found


def in_our_words(error: RequestValidationError | ValidationError) -> str:
    """Return what the validator has found, a sentence a finding."""
    found = list(error.errors())
    asked = isinstance(error, RequestValidationError)
    told = [_sentence(one, list(one["loc"][1:] if asked else one["loc"])) for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        told.append(f"And {len(found) - _SHOWN} more.")
    return " ".join(told)


# By type of error: the sentence about a place; names in braces are the validator's own figures.
_SENTENCES = {
    "missing": "{where} is missing.",
    "extra_forbidden": "{where} is not known here.",
    "greater_than_equal": "{where} must be at least {ge}.",
    "greater_than": "{where} must be more than {gt}.",
    "less_than_equal": "{where} must be at most {le}.",
    "less_than": "{where} must be less than {lt}.",
    "literal_error": "{where} must be one of {expected}.",
    "string_too_long": "{where} must have at most {max_length} characters.",
    "string_too_short": "{where} must have at least {min_length} characters.",
    "string_pattern_mismatch": "{where} holds nothing but blanks.",
    "string_unicode": "{where} holds half of a surrogate pair, which is no text.",
    "string_type": "{where} must be a text.",
    "too_long": "{where} must have at most {max_length} entries.",
    "too_short": "{where} must have at least {min_length} entries.",
    "int_parsing_size": "{where} has too many digits.",
    "list_type": "{where} must be a list.",
    "dict_type": "{where} must be a JSON object.",
    "model_type": "{where} must be a JSON object.",
    "model_attributes_type": "{where} must be a JSON object.",
    "json_invalid": "The body is not valid JSON in UTF-8.",
}
_BEGINNINGS = {"int_": "{where} must be a whole number.", "float_": "{where} must be a number.",
               "bool_": "{where} must be true or false."}  # fmt: skip


def _sentence(one: Mapping[str, Any], place: list[Any]) -> str:
    kind, name = str(one["type"]), ".".join(str(part) for part in place)
    begun = next((words for start, words in _BEGINNINGS.items() if kind.startswith(start)), "{where} cannot be used.")
    return _SENTENCES.get(kind, begun).format(where=f"'{name}'" if name else "The body", **(one.get("ctx") or {}))


# -- what the framework refuses

_FRAMEWORKS = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:
        headers["allow"] = ", ".join(allowed_methods(request))
    if error.status_code == 400 and isinstance(error.__cause__, UnicodeDecodeError):
        return problem_response(422, _SENTENCES["json_invalid"])
    if error.status_code == 404 and _wants_page(request):
        return await run_in_threadpool(request.app.state.error_page, request, 404, _FRAMEWORKS[404])
    if request.method == "GET" and _wants_page(request):
        if error.status_code == 401:
            return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
        if error.status_code == 403:
            return await run_in_threadpool(request.app.state.error_page, request, 403, str(error.detail))
    detail = _FRAMEWORKS.get(error.status_code, re.sub(r"(?<![.!?])$", ".", str(error.detail)))
    if isinstance(error, UnknownParameterError):
        errors = [{"detail": "It is not known here.", "parameter": clean_line(name, 80)} for name in error.names]
        return problem_response(422, detail, headers, errors=errors)
    return problem_response(error.status_code, detail, headers)


def allowed_methods(request: Request) -> list[str]:
    """Return the methods that this address takes: those of the most particular route of the API, else of any."""
    path = request.scope["path"]
    fitting = [one for one in request.app.openapi()["paths"] if _pattern(one).fullmatch(path)]
    if fitting:
        nearest = max(fitting, key=lambda one: len(re.sub(r"\{\w+\}", "", one)))
        known = request.app.openapi()["paths"][nearest]
        return [method for method in _METHODS if method.lower() in known]
    found = []
    for method in _METHODS:
        # A mounted folder has put its own root into the scope.
        scope = {**request.scope, "method": method, "root_path": request.scope.get("app_root_path", "")}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            found.append(method)
    # A folder of files matches every method and refuses the others itself.
    return found if len(found) < len(_METHODS) else ["GET", "HEAD"]


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    """Return what a route's addresses look like."""
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


async def _away(_request: Request, error: Exception) -> Response:
    log.error("The database does not answer: %s", error)
    return problem_response(503, "The database does not answer; try again in a moment.")


async def _late(_request: Request, error: Exception) -> Response:
    log.error("The engine does not answer: %s", error)
    return problem_response(503, "The engine does not answer in time; try again in a moment.")


async def _gone(_request: Request, _error: Exception) -> Response:
    return problem_response(400, "The client has hung up before the body was complete.")


async def _fault(request: Request, error: Exception) -> Response:
    log.error("A request for %s has failed", request.url.path, exc_info=error)
    return problem_response(500, "A fault of the arena; its log says more.")
