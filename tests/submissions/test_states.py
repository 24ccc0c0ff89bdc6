"""The life of a submission is a table."""

from __future__ import annotations

import itertools

import pytest

from arena.submissions.states import FINAL, MOVES, Status, check_move


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Status, Status)))
def test_only_moves_of_the_table_are_made(old: Status, new: Status) -> None:
    if new in MOVES[old]:
        check_move(old, new)
    else:
        with pytest.raises(ValueError, match=f"from {old} to {new}"):
            check_move(old, new)


def test_every_state_has_its_row_and_the_names_are_the_apis() -> None:
    assert set(MOVES) == set(Status)
    assert [str(status) for status in Status] == [
        "queued", "generating", "validating", "repairing", "testing", "admitted", "rejected", "failed",
        "cancelled",
    ]  # fmt: skip


def test_an_end_is_an_end() -> None:
    assert {status for status in Status if not MOVES[status]} == FINAL


def test_every_state_can_be_reached_and_every_one_can_end() -> None:
    reached, edge = {Status.QUEUED}, {Status.QUEUED}
    while edge:
        edge = {new for old in edge for new in MOVES[old]} - reached
        reached |= edge
    assert reached == set(Status)
    for status in set(Status) - FINAL:
        assert {Status.FAILED, Status.CANCELLED} <= MOVES[status]


def test_only_a_tried_bot_is_admitted_or_one_that_was_enrolled_before_a_crash() -> None:
    assert [old for old in Status if Status.ADMITTED in MOVES[old]] == [Status.QUEUED, Status.TESTING]
