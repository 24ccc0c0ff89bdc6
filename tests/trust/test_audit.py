"""The audit holds today, and finds a ranking rule that could be gamed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from arena.core import comparisons
from arena.trust import audit
from arena.trust.audit import ATTACKS, Finding


@pytest.mark.system
def test_no_attack_gains_rank() -> None:
    found = audit.audit(boards=6, periods=60)
    assert [each.attack for each in found] == list(ATTACKS)
    assert [each.attack for each in found if not each.passes] == []


def test_tail_selling_would_gain_rank_if_unseen_losses_did_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [seed for seed in range(20) if audit._gains(ATTACKS["tail selling"], seed, 60)]
    monkeypatch.setattr(
        comparisons.BoardComparisons, "_unseen", lambda self: np.zeros(len(self._lowest))
    )  # the rule under test, taken away
    free = [seed for seed in range(20) if audit._gains(ATTACKS["tail selling"], seed, 60)]
    assert len(held) <= 1
    assert len(free) >= 4


def test_more_than_chance_would_give_does_not_pass() -> None:
    assert audit._allowed(40) == 7
    assert Finding("x", 40, 7, 7).passes
    assert not Finding("x", 40, 8, 7).passes


def test_the_command_exits_with_what_it_found() -> None:
    from arena.cli.main import app

    runner = CliRunner()
    done = runner.invoke(app, ["audit", "--boards", "1", "--periods", "60", "--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == (0 if document["holds"] else 1)
    assert len(document["items"]) == len(ATTACKS)
