from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arena.feeds.base import History
from arena.feeds.history import load_history


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., History]:
    """Write one file and load it."""

    def write_and_load(
        name: str, content: str | bytes, *, symbol: str | None = None, interval: float | None = None
    ) -> History:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_history([f"{symbol}={path}" if symbol else str(path)], interval=interval)

    return write_and_load


@pytest.fixture
def shared() -> Callable[[str], str]:
    """Find a file of the developer set beside the repository, or skip the test."""
    root = Path(__file__).resolve().parents[3].parent / "shared" / "data"

    def find(name: str) -> str:
        path = root / name
        if not path.exists():
            pytest.skip(f"{name} not present")
        return str(path)

    return find
