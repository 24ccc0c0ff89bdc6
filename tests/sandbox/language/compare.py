"""Runs blocks of Python both ways and prints, as JSON, where they differ."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from kit import Wall, in_plain_python, under_the_wall

MARK = "# --- "


def blocks(path: Path) -> list[tuple[str, str]]:
    """Split a case file at its marks into (name, program)."""
    parts = path.read_text(encoding="utf-8").split("\n" + MARK)[1:]
    return [(part.split("\n", 1)[0].strip(), part.split("\n", 1)[1]) for part in parts]


def main() -> None:
    """Print {file: {block: [plain, walled]}} for every case file named."""
    warnings.simplefilter("ignore")
    found: dict[str, dict[str, list[list[str]]]] = {}
    cases = [(path, *block) for path in map(Path, sys.argv[1:]) for block in blocks(path)]
    plain = [in_plain_python(program) for _, _, program in cases]
    wall = Wall()
    for (path, name, program), expected in zip(cases, plain, strict=True):
        pair = [expected, under_the_wall(wall, program)]
        found.setdefault(path.stem, {})[name] = pair
    print(json.dumps(found))


if __name__ == "__main__":
    main()
