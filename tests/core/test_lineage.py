"""What an evolved program tells of the tries that it is the chosen one of."""

from __future__ import annotations

from arena.core.lineage import lineage_of, tried_elsewhere, with_lineage, without_lineage

PROGRAM = '"""Buys."""\nNAME = "Child"\n'
RUN, OTHER = "0123456789ab", "ba9876543210"


def test_a_program_carries_its_run_and_those_before_it() -> None:
    first = with_lineage(PROGRAM, RUN, 12, {})
    assert first == f"# arena evolve: run {RUN}, 12 children tried\n{PROGRAM}"
    # Begun again from this child in another evolution; the figure of the same run is the newest.
    second = with_lineage(first, OTHER, 3, {RUN: 12})
    assert lineage_of(second) == {OTHER: 3, RUN: 12}
    assert lineage_of(with_lineage(second, OTHER, 9, {})) == {OTHER: 9, RUN: 12}
    assert without_lineage(second) == PROGRAM
    assert without_lineage(PROGRAM) == PROGRAM


def test_each_run_counts_once_and_what_was_handed_in_not_again() -> None:
    children = [with_lineage(f"# {n}", RUN, tried, {}) for n, tried in enumerate((12, 20))]
    assert tried_elsewhere(children) == 18
    assert tried_elsewhere([with_lineage(PROGRAM, RUN, 1, {})]) == 0
    assert tried_elsewhere([PROGRAM, f"{PROGRAM}# arena evolve: run {RUN}, 12 children tried\n"]) == 0
