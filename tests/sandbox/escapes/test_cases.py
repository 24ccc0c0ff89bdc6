"""Every file in `cases` is an attack on the language wall; its header says how it must end.

`refused`: the policy finds it in the source. `blocked`: it runs and gets nothing. A case with a
control also runs as ordinary Python (or under the stock kit), where it must get what it wants: so a
case that passes here because it is broken shows itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "language"))

from wall_process import run_apart  # noqa: E402

CASES = sorted(path.stem for path in (HERE / "cases").glob("*.py"))
FAMILIES = sorted({name.split("_")[0] for name in CASES})


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = run_apart(HERE / "run_cases.py", HERE / "cases")
    return found


def _of(outcomes: dict[str, dict[str, str]], family: str) -> dict[str, dict[str, Any]]:
    return {name: case for name, case in outcomes.items() if case["family"] == family}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_escape_of_this_family_gets_anything(outcomes: dict[str, dict[str, str]], family: str) -> None:
    cases = _of(outcomes, family)
    wrong = {name: case["wall"] for name, case in cases.items() if not case["wall"].startswith(case["expect"] + ":")}
    assert cases
    assert wrong == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_escapes_with_a_control_are_live_where_there_is_no_wall(
    outcomes: dict[str, dict[str, str]], family: str
) -> None:
    dull = {
        name: case["bites"]
        for name, case in _of(outcomes, family).items()
        if "bites" in case and not case["bites"].startswith(("breached", "crashed"))
    }
    assert dull == {}


def test_the_corpus_is_not_shrinking(outcomes: dict[str, dict[str, str]]) -> None:
    assert len(outcomes) == len(CASES) >= 600
    assert sum("bites" in case for case in outcomes.values()) >= 350
    # These get through what applications commonly build on the stock kit.
    assert sum(case["control"] == "naive" for case in outcomes.values()) >= 150
    assert {case["expect"] for case in outcomes.values()} == {"refused", "blocked"}
