"""Applies a unified diff that a model gives in place of a whole file."""

from __future__ import annotations

import re

_HUNK = re.compile(r"^@@ ?(?:-(\d+)(?:,\d+)? \+\d+(?:,\d+)? )?@@", re.MULTILINE)


def apply_patch(text: str, before: str | None) -> str | None:
    """Return the source after a diff, None where the text is no diff or does not fit.

    Line numbers are not trusted: a hunk goes where its old lines stand.
    """
    if not _HUNK.search(text):
        return None
    lines = (before or "").split("\n")
    place = 0
    for hunk in _hunks(text):
        old = [line[1:] for line in hunk if line[:1] in {" ", "-"}]
        new = [line[1:] for line in hunk if line[:1] in {" ", "+"}]
        if not old:
            lines[place:place] = new
            place += len(new)
            continue
        found = _place_of(old, lines, place)
        if found is None:
            found = _place_of(old, lines, 0)
        if found is None:
            return None
        lines[found : found + len(old)] = new
        place = found + len(new)
    return "\n".join(lines).strip("\n") + "\n"


def _hunks(text: str) -> list[list[str]]:
    hunks: list[list[str]] = []
    for line in text.split("\n"):
        if _HUNK.match(line):
            hunks.append([])
        elif hunks and line[:1] in {" ", "+", "-"} and not line.startswith(("+++ ", "--- ")):
            hunks[-1].append(line)
        elif hunks and not line:
            hunks[-1].append(" ")
    for hunk in hunks:
        while hunk and hunk[-1] == " ":
            hunk.pop()
    return hunks


def _place_of(old: list[str], lines: list[str], start: int) -> int | None:
    wanted = [line.rstrip() for line in old]
    for place in range(start, len(lines) - len(old) + 1):
        if [line.rstrip() for line in lines[place : place + len(old)]] == wanted:
            return place
    return None
