"""`arena models`, `arena cancel` and `doctor --models`: what has to do with who writes bots."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena.cli import remote
from arena.cli.output import cell, complain, console, moment, print_json, print_table
from arena.errors import GenerationError

if TYPE_CHECKING:
    from arena.llm.models import Model

_SCOPES = {"submission": "a submission", "author": "an author a day", "day": "all a day"}
# An answer to a probe takes no longer, a model that is loaded first aside.
_PROBE_SECONDS = 60.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(models)
    app.command()(cancel)


def models(
    author: remote.Author = "local",
    as_json: remote.AsJson = False,
    url: remote.Url = "",
) -> None:
    """List the models that write bots on the server, and what is left of the budgets."""
    found = remote.request(url, "GET", "/models", params={"author": author})
    if as_json:
        print_json(found)
        return
    rows = [{**one, "usual": "yes" if one["default"] else ""} for one in found["items"]]
    columns = (
        ("name", "NAME"), ("usual", "USUAL"), ("model", "MODEL"), ("host", "SERVER"), ("concurrency", "AT ONCE"),
        ("context", "CONTEXT"), ("price_in", "IN $/M"), ("price_out", "OUT $/M"),
    )  # fmt: skip
    print_table(columns, rows)
    for one in found["budgets"]:
        console.print(f"Budget of {_SCOPES[one['scope']]}: {_left(one)}", markup=False)


def _left(budget: dict[str, Any]) -> str:
    unit = "US dollars" if budget["unit"] == "usd" else budget["unit"]
    if budget["left"] is None:
        return f"{cell(budget['limit'])} {unit}"
    words = f"{cell(budget['left'])} of {cell(budget['limit'])} {unit} left"
    return f"{words}, anew at {moment(budget['resets_at'])}" if budget["resets_at"] else words


def cancel(
    submission: Annotated[str, typer.Argument(help="Id of a submission.")],
    as_json: remote.AsJson = False,
    url: remote.Url = "",
) -> None:
    """Cancel a submission; an answer that is being written is broken off."""
    found = remote.request(url, "POST", f"/strategies/{submission}/cancel")
    if as_json:
        print_json(found)
    else:
        console.print(f"{found['status']}  submission {found['id']}", soft_wrap=True)


# -- the doctor ---------------------------------------------------------------------------------------------


def examine_models(*, as_json: bool) -> bool:
    """Ask each model of the settings for one token, print what is wrong in words, say whether all answered."""
    from arena.config import load
    from arena.llm.models import models_of

    found = models_of(load())
    asked = list(found.named.values())
    if found.environment is not None and found.environment.model:
        asked.append(found.environment)
    if not asked:
        told = "No model is configured: set OPENAI_MODEL and OPENAI_BASE_URL or a key, or [models.NAME] in arena.toml."
        print_json([]) if as_json else console.print(told)
        return True
    import openai  # noqa: F401 - once, before threads need it

    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(_probe, asked))
    if as_json:
        print_json(rows)
    else:
        print_table((("name", "MODEL"), ("host", "SERVER"), ("ok", "ANSWERS"), ("seconds", "SECONDS")), rows)
        for row in rows:
            if not row["ok"]:
                complain(f"{row['name']}: {row['problem']}")
            for note in row["notes"]:
                console.print(f"{row['name']}: {note}", markup=False)
    return all(row["ok"] for row in rows)


def _probe(model: Model) -> dict[str, Any]:
    """Ask a model for one token and return what came of it."""
    begun = time.monotonic()
    shown = model.document()
    row: dict[str, Any] = {"name": model.name, "host": shown["host"], "ok": True, "problem": None, "notes": []}
    try:
        answer, told = model.server.probe(model.model, _PROBE_SECONDS)
    except GenerationError as error:
        row.update(ok=False, problem=str(error))
    else:
        row["notes"] = told
        if answer.model and answer.model != model.model:
            row["notes"].append(f"the server names the model {answer.model}.")
    row["seconds"] = round(time.monotonic() - begun, 2)
    return row
