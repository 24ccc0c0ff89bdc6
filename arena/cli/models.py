"""`arena models`, `arena cancel`, `submit --follow` and `doctor --models`: what has to do with who writes bots."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena.cli import remote
from arena.cli.output import cell, complain, console, moment, print_json, print_table
from arena.config import client_defaults
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


# -- following ----------------------------------------------------------------------------------------------


def follow(url: str, submission_id: str) -> dict[str, Any]:
    """Print a submission's states and the model's answer as it is written; return how it ended.

    Interrupted, it cancels the submission.
    """
    screen = _Screen()
    try:
        while True:
            for kind, data in _events(url, submission_id):
                if kind == "text":
                    screen.write(data)
                elif kind == "submission" and screen.show(data["status"]):
                    ended: dict[str, Any] = data
                    return ended
            # The stream has ended before the submission: the server restarts, or has closed an idle connection.
            found: dict[str, Any] = remote.request(url, "GET", f"/strategies/{submission_id}")
            if screen.show(found["status"]):
                return found
            time.sleep(0.5)
    except KeyboardInterrupt:
        remote.request(url, "POST", f"/strategies/{submission_id}/cancel")
        complain(f"Cancelled: submission {submission_id}.")
        raise


class _Screen:
    """Text on stdout, states on stderr, so that a pipe gets the model's words alone."""

    def __init__(self) -> None:
        self._status = ""
        self._attempt = 0
        self._shown = 0
        self._open_line = False

    def write(self, data: dict[str, Any]) -> None:
        """Print what is new of an answer."""
        if data["attempt"] != self._attempt:
            self._attempt, self._shown = data["attempt"], 0
        new = data["text"][max(0, self._shown - data["offset"]) :]
        self._shown = max(self._shown, data["offset"] + len(data["text"]))
        # A model's words may hold what would steer a terminal.
        sys.stdout.write("".join(c for c in new if c in "\n\t" or c.isprintable()))
        sys.stdout.flush()
        if new:
            self._open_line = not new.endswith("\n")

    def show(self, status: str) -> bool:
        """Print a state that is new and say whether it is the last one."""
        if status != self._status:
            self._status = status
            if self._open_line:
                sys.stdout.write("\n")
                sys.stdout.flush()
                self._open_line = False
            complain(f"[{status}]")
        return status in remote.FINAL


def _events(url: str, submission_id: str) -> Any:
    """Yield the events of a submission as kind and data, until the server ends the stream."""
    import json

    import httpx2

    default, token = client_defaults()
    base = (url or default).rstrip("/")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    address = f"{base}/api/v1/strategies/{submission_id}/events"
    kind, data = "message", ""
    try:
        with (
            httpx2.Client(timeout=httpx2.Timeout(20, read=60), trust_env=False) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                return
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:].strip()
                elif not line and data:
                    yield kind, json.loads(data)
                    kind, data = "message", ""
    except httpx2.HTTPError:
        return


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
