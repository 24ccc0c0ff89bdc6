"""Finds the bot in a model's answer: fenced or bare, with prose, thoughts or several blocks around."""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+.-]*)[^\n]*$", re.MULTILINE)
_MARKS = ("def on_tick", "SYMBOLS", "NAME")
_CODE_START = re.compile(r"^(?:\"\"\"|'''|#|from \w|import \w|NAME\b|SYMBOLS\b|@|def |class )", re.MULTILINE)


def extract(answer: str) -> str | None:
    """Return the source of the block that looks most like a bot, None if there is no code."""
    text = _without_thoughts(answer.replace("\r\n", "\n"))
    blocks = _blocks(text)
    if blocks:
        # The last of equals: models that show a draft first give the finished file at the end.
        return max(reversed(blocks), key=_likeness)
    if "def on_tick" not in text:
        return None
    start = _CODE_START.search(text)
    return text[start.start() :].strip() + "\n" if start else None


def _without_thoughts(text: str) -> str:
    """Cut out what stands between an opening and the next closing mark; one left open hides nothing."""
    kept, position, opened = [], 0, None
    for mark in _THOUGHT.finditer(text):
        if not mark.group(1):
            opened = mark.start() if opened is None else opened
        elif opened is not None:
            kept.append(text[position:opened])
            position, opened = mark.end(), None
    return "".join([*kept, text[position:]])


def _blocks(text: str) -> list[str]:
    found, position = [], 0
    while (opening := _FENCE.search(text, position)) is not None:
        mark, language = opening.group(1), opening.group(2).lower()
        closing = re.compile(rf"^[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
        end = closing.search(text, opening.end() + 1)
        # Left open, a block goes to the end, but for marks that close it behind its last line.
        body = text[opening.end() + 1 : end.start()] if end else _unclosed(text[opening.end() + 1 :], mark)
        if language in {"", "python", "py", "python3"} and body.strip():
            found.append(_dedented(body, opening.group(0)))
        if end is None:
            break
        position = end.end()
    return found


def _unclosed(body: str, mark: str) -> str:
    return body.rstrip().removesuffix(mark) if body.rstrip().endswith(mark) else body


def _dedented(body: str, fence: str) -> str:
    """Take off the indentation that the fence itself has, as in a list item."""
    indent = len(fence) - len(fence.lstrip())
    if not indent:
        return body
    lines = body.split("\n")
    return "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines)


def _likeness(block: str) -> tuple[int, int]:
    return sum(mark in block for mark in _MARKS), len(block)
