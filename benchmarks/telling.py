"""How a benchmark tells what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def show(figures: dict[str, Any]) -> None:
    """Print figures one below the other."""
    for name, value in figures.items():
        print(f"{name:32} {value}")
    print()


def write(found: Any, path: Path | None) -> None:
    """Write figures as JSON where a file is named."""
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
