"""Every record is proved again from time to time, and one that differs is marked on the board."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from arena.web.reverify import Reverification
from tests.arenas import BUYER, bot_source, running, settings_for, until


@pytest.mark.system
def test_what_differs_when_it_is_run_again_is_marked_on_the_board(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        arena.admitted(bot_source(BUYER))
        until(lambda: arena.get("/leaderboard")["items"][0]["trades"] > 0, "it has traded", 60)
        engine, context = arena.arena.engine, arena.arena._context
        again = Reverification(context, 0.0)
        (name,) = again.round()
        assert again.round() == {name: "reproduced"}
        with context.database.begin() as connection:
            connection.execute(text("UPDATE trades SET size = size * 2 WHERE id = 1"))
        tick = engine.market.n
        until(lambda: engine.market.n > tick + 10, "enough has come in since for another proof", 60)
        assert again.round() == {name: "differs"}
        assert "differs when it is run again: trades row 1" in caplog.text
        until(lambda: arena.get("/leaderboard")["items"][0]["verified"] == "differs", "the board says so", 60)
        again.stop()


@pytest.mark.system
def test_it_runs_by_itself_where_it_is_asked_for(tmp_path: Path) -> None:
    with running(settings_for(tmp_path, reverify_hours=0.0002), tmp_path) as arena:
        arena.admitted(bot_source(BUYER))
        until(lambda: arena.get("/leaderboard")["items"][0]["verified"] == "reproduced", "it is proved", 60)
