"""Ordinary Python does under the wall what it does without one.

The blocks in `cases/*.txt` are programs as models write them; `compare.py` runs each both ways.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from wall_process import HERE, run_apart

FILES = sorted((HERE / "cases").glob("*.txt"))
REFUSED = {"try_star", "async_", "type_alias_312"}
Compared = dict[str, dict[str, list[list[str]]]]


@pytest.fixture(scope="module")
def compared() -> Compared:
    found: Compared = run_apart(HERE / "compare.py", *FILES)
    return found


@pytest.mark.parametrize("file", [path.stem for path in FILES])
def test_python_behaves_as_it_does_without_the_wall(compared: Compared, file: str) -> None:
    different = {name: pair for name, pair in compared[file].items() if pair[0] != pair[1]}
    assert different == {}


def test_every_block_puts_something_out(compared: Compared) -> None:
    silent = [
        f"{file}: {name}"
        for file, blocks in compared.items()
        for name, (plain, _) in blocks.items()
        if not plain and name != "logging_and_print"
    ]
    assert silent == []


def test_the_common_constructs_are_accepted() -> None:
    shared = _shared() / "snippets" / "constructs.py"
    if not shared.exists():
        pytest.skip("the shared snippets are not beside this project")
    outcomes = run_apart(HERE / "snippets.py", shared)
    expected = REFUSED | ({"typevar_312"} if sys.version_info < (3, 12) else set())
    assert {name for name, word in outcomes.items() if word != "ok"} == expected


def _shared() -> Path:
    return HERE.parents[3] / "shared"
