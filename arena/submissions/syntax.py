"""Parses Python, one source at a time: CPython 3.11's own count of nesting is shared by all threads that parse."""

from __future__ import annotations

import ast
import threading

_PARSING = threading.Lock()


def parse(source: str | bytes) -> ast.Module:
    """Return a source's tree, as `ast.parse` does; SyntaxError or ValueError where it has none."""
    with _PARSING:
        return ast.parse(source)
