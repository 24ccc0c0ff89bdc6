"""What verdicts cost: strikes, restarts with back-off, quarantine."""

from __future__ import annotations

import pytest

from arena.engine.discipline import Action, StrikeRecord
from sandbox.talk.verdict import Verdict

STRIKING = [Verdict.TIMEOUT, Verdict.MEMORY, Verdict.OUTPUT_LIMIT, Verdict.PROTOCOL_ERROR, Verdict.EXITED]
DEADLY = [Verdict.CRASHED, Verdict.SECURITY]
HARMLESS = [Verdict.OK, Verdict.LATE]


@pytest.mark.parametrize("verdict", DEADLY)
def test_a_hostile_act_is_quarantined_at_once(verdict: Verdict) -> None:
    assert StrikeRecord().judge(verdict, 0, dead=True) is Action.QUARANTINE


@pytest.mark.parametrize("verdict", STRIKING)
def test_the_third_strike_within_a_hundred_ticks_is_the_last(verdict: Verdict) -> None:
    record = StrikeRecord()
    assert [record.judge(verdict, tick, dead=False) for tick in (0, 50, 99)] == [
        Action.GO_ON, Action.GO_ON, Action.QUARANTINE,
    ]  # fmt: skip


@pytest.mark.parametrize("verdict", STRIKING)
def test_strikes_are_forgotten_after_a_hundred_ticks(verdict: Verdict) -> None:
    record = StrikeRecord()
    ticks = range(0, 1000, 50)
    assert {record.judge(verdict, tick, dead=False) for tick in ticks} == {Action.GO_ON}


@pytest.mark.parametrize("verdict", HARMLESS)
def test_what_is_no_strike_never_counts(verdict: Verdict) -> None:
    record = StrikeRecord()
    assert {record.judge(verdict, tick, dead=False) for tick in range(500)} == {Action.GO_ON}
    assert not record.strikes


def test_the_third_restart_is_one_too_many_however_far_apart() -> None:
    record = StrikeRecord()
    acts = [record.judge(Verdict.LATE, tick, dead=True) for tick in (0, 1000, 2000)]
    assert acts == [Action.RESTART, Action.RESTART, Action.QUARANTINE]


def test_restarts_wait_longer_each_time() -> None:
    record = StrikeRecord()
    record.judge(Verdict.TIMEOUT, 10, dead=True)
    assert record.restart_at == 11
    record.judge(Verdict.TIMEOUT, 500, dead=True)
    assert record.restart_at == 504


def test_a_journal_leads_to_the_record_that_wrote_it() -> None:
    live, journal = StrikeRecord(), []
    for tick, verdict, dead in (
        (3, Verdict.TIMEOUT, False),
        (5, Verdict.LATE, False),
        (9, Verdict.EXITED, True),
    ):
        live.judge(verdict, tick, dead=dead)
        journal.append((tick, "killed" if dead else "late", f"{verdict.name}: why"))
    restored = StrikeRecord()
    restored.take_up([(0, "start", ""), *journal[:2], (7, "skipped", ""), journal[2], (11, "restarted", "")])
    assert restored == live
    assert restored.judge(Verdict.TIMEOUT, 50, dead=False) is Action.QUARANTINE
