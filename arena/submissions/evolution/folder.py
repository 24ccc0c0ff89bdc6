"""The folder of an evolution: how it was begun, a line for each answer of a model, a line for each child.

A line is on the disk before anything is made of it, so that what was paid for is never asked for twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from arena.errors import ConflictError

Row = dict[str, Any]

_CONDUCT, _CHILDREN, _ANSWERS, _LOCK = "evolution.json", "children.jsonl", "answers.jsonl", ".lock"
_WORDS = {
    "parents": "other bots", "train": "other tapes or another split", "held_out": "other held-out tapes",
    "rules": "other costs or cash", "seed": "another seed", "children": "another number of children a round",
}  # fmt: skip


class Folder:
    """The folder, for one process at a time; `children` and `answers` are the lines that are there.

    `run` tells this evolution from every other.
    """

    def __init__(self, path: Path, conduct: Mapping[str, Any]) -> None:
        """Begin the folder, or go on with one of the same conduct; ConflictError says what differs."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._held = (path / _LOCK).open("w")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._held.close()
            raise ConflictError(f"Another `arena evolve` is at work in {path}: name another folder by --out.") from None
        try:
            self._agree(dict(conduct))
            self.children = _lines(path / _CHILDREN)
            self.answers = _lines(path / _ANSWERS)
        except BaseException:
            self._held.close()
            raise

    def _agree(self, conduct: Row) -> None:
        place = self.path / _CONDUCT
        if not place.exists():
            if (self.path / _CHILDREN).exists():
                raise ConflictError(f"{place} is missing: name another folder by --out.")
            self.run = secrets.token_hex(6)
            place.write_text(json.dumps({"run": self.run, **conduct}, indent=2) + "\n", "utf-8")
            return
        try:
            known = json.loads(place.read_text("utf-8"))
        except ValueError:
            known = None
        if not isinstance(known, dict):
            raise ConflictError(f"{place} is no JSON object: name another folder by --out.")
        # An older version has given the folder no name.
        nameless = hashlib.sha256(place.read_bytes()).hexdigest()[:12]
        run = known.get("run")
        self.run = run if isinstance(run, str) and re.fullmatch("[0-9a-f]{12}", run) else nameless
        # As JSON has it: a tuple is a list there.
        wanted = json.loads(json.dumps(conduct))
        other = [words for name, words in _WORDS.items() if known.get(name) != wanted[name]]
        if other:
            raise ConflictError(
                f"{self.path} was begun with {', '.join(other)}: give what it was begun with, or name another by --out."
            )

    def add_child(self, line: Row) -> None:
        """Keep a child."""
        self.children.append(line)
        _append(self.path / _CHILDREN, line)

    def add_answer(self, line: Row) -> None:
        """Keep an answer of a model."""
        self.answers.append(line)
        _append(self.path / _ANSWERS, line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()


def _append(path: Path, line: Row) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _lines(path: Path) -> list[Row]:
    """Return a file's lines; a last one that was not written whole is taken off."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    found = []
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise ConflictError(
                f"{path}, line {number}: no JSON object. Remove the line, or name another folder by --out."
            )
        found.append(row)
    return found
