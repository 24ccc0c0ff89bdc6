"""The OpenAPI document: every route names the errors that it sends, as it sends them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from arena.web.schemas import Problem

_ALWAYS = (400, 405, 408, 421, 422, 429, 431, 500, 503)
_OF_A_WRITE = (401, 403, 409, 413, 415)
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    405: {"Allow": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "string"}}},
    503: {"Retry-After": {"schema": {"type": "string"}}},
}


def install(app: FastAPI) -> None:
    """Let the app describe itself so."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for operations in found["paths"].values():
        for method, operation in operations.items():
            answers = operation["responses"]
            for status in _errors(method, operation):
                answers[str(status)] = _problem(status)
            operation["responses"] = dict(sorted(answers.items()))
    return found


def _errors(method: str, operation: dict[str, Any]) -> set[int]:
    given = {one["name"]: one["in"] for one in operation.get("parameters", ())}
    found = set(_ALWAYS)
    if "path" in given.values() or "season" in given:
        found.add(404)
    if method != "get":
        found |= set(_OF_A_WRITE)
    return found


def _problem(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
    if status in _HEADERS:
        described["headers"] = _HEADERS[status]
    return described
