"""What a bot can reach is known, and none of it can be changed for anyone."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest
from wall_process import HERE, run_apart

from sandbox.language import reach

# Shared objects that take a store which nothing of the host ever reads.
INERT = {
    "builtins.function": "attributes of functions",
    "numpy._ArrayFunctionDispatcher": "attributes of functions",
    "numpy.ufunc": "attributes of functions; numpy keeps its own references to the methods",
    "functools.cached_property": "the bot's own, in the body of its class",
    "re.RegexFlag": "flags of the bot's own calls",
    "enum.FlagBoundary": "options of the bot's own enumerations",
    "enum.EnumCheck": "options of the bot's own enumerations",
    "calendar.Day": "days of the week, which from 3.12 on are members of an enumeration",
    "dataclasses._KW_ONLY_TYPE": "compared by identity only",
    "dataclasses._MISSING_TYPE": "compared by identity only",
    "decimal.Context": "the precision of the bot's own arithmetic, as in plain Python",
}


@pytest.fixture(scope="module")
def walked() -> dict[str, Any]:
    found: dict[str, Any] = run_apart(HERE / "walk.py")
    return found


def test_everything_a_bot_can_reach_is_in_the_closed_world(walked: dict[str, Any]) -> None:
    assert walked["fouls"] == {}
    assert walked["seen"] > 3000
    assert walked["types"] > 150


def test_a_store_is_refused_or_inert_on_everything_shared(walked: dict[str, Any]) -> None:
    # Cython names its version in the module of its functions.
    taken = {kind for kind in walked["stores"] if not kind.startswith("_cython_")}
    assert taken <= set(INERT)


def test_every_class_of_the_host_is_immutable(walked: dict[str, Any]) -> None:
    assert walked["open_classes"] == []


def test_whatever_is_reached_is_in_the_reviewed_table(walked: dict[str, Any]) -> None:
    assert walked["unlisted"] == {}
    table = reach.read()
    assert set(table.values()) == set(reach.CATEGORIES)
    assert sorted(reach.reachable() - table.keys()) == []
    assert len(table) > 4000


def test_a_name_that_no_line_lists_would_be_found() -> None:
    given = set(reach.of_class(collections.deque))
    assert ("collections.deque", "append") in given
    assert not any(name in {"__reduce__", "__deepcopy__", "__class__"} for _, name in given)
    assert reach.propose("os", "system") == reach.UNREVIEWED
    assert ("numpy.ndarray", "ctypes") not in reach.of_class(np.ndarray)
