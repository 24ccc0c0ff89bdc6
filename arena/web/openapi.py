"""The OpenAPI document: every route names the errors that it sends, as it sends them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from arena.people.rights import Right
from arena.web.access import access_of
from arena.web.schemas import Problem

_ALWAYS = (400, 401, 403, 405, 408, 409, 413, 421, 422, 429, 431, 500, 503)
_OF_A_WRITE = (404, 415)
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    405: {"Allow": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "string"}}},
    503: {"Retry-After": {"schema": {"type": "string"}}},
}


_SCHEMES = {
    "bearer": {
        "type": "http", "scheme": "bearer",
        "description": "A token of a user (arena_...), or ARENA_TOKEN; without both, only this machine may write.",
    },
    "session": {
        "type": "apiKey", "in": "cookie", "name": "arena_session",
        "description": "A browser that is signed in; with accounts, a change also sends X-CSRF-Token with what the "
                       "cookie arena_csrf holds. Over TLS the names of both begin with __Host-.",
    },
}  # fmt: skip
_TABLES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}},
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
}
_SERIES = ("PriceSeries", "CurveList")
# What a parameter means and an example of it, by its name, where its route says no more.
_PARAMETERS: dict[str, tuple[str, Any]] = {
    "bot_id": ("Id or name of a bot.", "Dip Buyer"),
    "submission_id": ("Id of a submission.", "01964d5e-0000-7000-8000-000000000000"),
    "webhook_id": ("Id of a webhook.", "01964d5e-0000-7000-8000-000000000000"),
    "job_id": ("Id of a job.", "01964d5e-0000-7000-8000-000000000000"),
    "token_id": ("Id of a token.", "01964d5e-0000-7000-8000-000000000000"),
    "name": ("A name.", "ada"),
    "number": ("A number.", 1),
    "season": ("Number of a season; else the one that is played.", 1),
    "limit": ("Most entries of the answer.", 20),
    "cursor": ("Where the page begins: next_cursor of the page before.", 0),
    "sort": ("Column to sort by.", "rank"),
    "order": ("asc or desc.", "asc"),
    "by": ("What the board is grouped by.", "model"),
    "bot": ("Ids of bots.", ["01964d5e-0000-7000-8000-000000000000"]),
    "author": ("Whose budget is shown.", "ada"),
    "actor": ("Whose deeds are shown.", "ada"),
    "format": ("json, which is signed, or html or csv.", "json"),
    "run_id": ("Id of a backtest that was kept.", "3f9a1c7be042"),
    "tournament_id": ("Id of a tournament that was kept.", "3f9a1c7be042"),
    "since": ("Unix seconds: nothing before.", 1790000000.0),
    "until": ("Unix seconds: nothing after.", 1790086400.0),
    "report": ("Whether it is tried on made-up markets.", True),
    "idempotency-key": ("A key of your own: the same request is done once.", "order-2026-11-30-1"),
    "X-Request-ID": ("A name of your own for this request: the answer and the log have it.", "order-2026-11-30-1"),
    "Last-Event-ID": ("Id of the last event that was received.", "a1b2c3d4-17"),
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
    found["components"]["securitySchemes"] = _SCHEMES
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            operation["security"] = _security(method, path)
            for parameter in operation.get("parameters", ()):
                _explain(parameter)
            if method == "get":
                _add_tables(answers["200"], schemas)
                answers.setdefault("304", {"description": "Not changed since the given ETag."})
            for status in _errors(method, operation):
                answers[str(status)] = _problem(status)
            operation["responses"] = dict(sorted(answers.items()))
    return found


def _security(method: str, path: str) -> list[dict[str, list[str]]]:
    right = access_of(method.upper(), path).right
    schemes: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
    # Nobody is asked for a read where READS=public, or for anything on this machine where no token is set.
    return schemes if right is Right.SIGNED_IN else [{}, *schemes]


def _explain(parameter: dict[str, Any]) -> None:
    words, example = _PARAMETERS[parameter["name"]]
    schema = parameter.setdefault("schema", {})
    parameter["description"] = parameter.get("description") or schema.get("description") or words
    if "example" not in parameter and "examples" not in parameter:
        parameter["example"] = example


def _add_tables(answer: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say of a list that it comes as CSV and Parquet as well."""
    content = answer.get("content", {})
    reference = str(content.get("application/json", {}).get("schema", {}).get("$ref", "")).rpartition("/")[2]
    if reference in _SERIES or "items" in schemas.get(reference, {}).get("properties", {}):
        answer["content"] = {**content, **_TABLES}


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
