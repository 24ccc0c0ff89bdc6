"""What the API says of ranks, over a running arena."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arenas import BUYER, Running, bot_source, running, settings_for, until


def test_a_board_says_what_its_ranks_mean(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source(BUYER, name=own_name))
    board = until(
        lambda: next((b for b in [live.get("/leaderboard?limit=1000")] if b["summary"] and any(
            item["bot_id"] == seat.id and item["tie_first"] for item in b["items"])), None), "a summary",
    )  # fmt: skip
    summary = board["summary"]
    assert summary["benchmark"] == board["season"]["benchmark"] == "equal weight"
    names = [each["name"] for each in summary["baselines"]]
    assert names[:2] == ["cash", "equal weight"]
    assert {f"buy and hold {symbol}" for symbol in board["season"]["symbols"]} == set(names[2:])
    band = summary["random_band"]
    assert band["low"] <= band["median"] <= band["high"]
    assert summary["separation"]
    # Baselines are not ranked.
    assert not {item["name"] for item in board["items"]} & set(names)
    row = next(item for item in board["items"] if item["bot_id"] == seat.id)
    assert row["verdict"] == "not yet"
    assert row["tie_first"] <= row["rank"] <= row["tie_last"]
    assert row["sharpe"] is None


def test_the_statistics_of_a_bot(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source(BUYER, name=own_name))
    # A score point may come between the two questions.
    found = until(
        lambda: next((one for one in [live.get(f"/bots/{seat.id}/statistics")]
                      if one == live.get(f"/bots/{own_name}/statistics")), None), "the same answer by id and by name",
    )  # fmt: skip
    assert found["needs"].startswith("needs 30 periods, has ")
    assert found["trials"]["k"] >= 1
    assert live.api("GET", "/bots/nobody/statistics").status_code == 404


def test_groups_of_the_board(live: Running, own_name: str) -> None:
    live.admitted(bot_source(name=own_name), author="groups")
    for by in ("model", "prompt", "author", "origin"):
        found = live.get(f"/leaderboard/groups?by={by}")
        assert found["by"] == by
        assert sum(item["bots"] for item in found["items"]) >= 1
    answer = live.api("GET", "/leaderboard/groups?by=colour")
    assert answer.status_code == 422


@pytest.mark.system
def test_how_robust_a_bot_is_is_a_job_and_stands_on_its_page(tmp_path: Path) -> None:
    data = tmp_path / "market.csv"
    rows = "".join(f"{1_700_000_000 + 60 * n},BTCUSDT,{100 + n % 7}\n" for n in range(260))
    data.write_text("time,symbol,price\n" + rows)
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots" / "early.py").write_text(bot_source(BUYER, name="Early"))
    with running(settings_for(tmp_path, feed=f"replay:{data}"), tmp_path) as arena:
        until(lambda: arena.get("/status")["state"] == "finished", "the recording has ended")
        assert arena.client.get("/api/v1/bots/Early/robust").status_code == 404
        asked = arena.api("POST", "/bots/Early/robust")
        assert asked.status_code == 202, asked.text
        job = until(
            lambda: (row := arena.get(f"/jobs/{asked.json()['id']}"))["status"] in {"done", "failed"} and row,
            "the job has ended", 60,
        )  # fmt: skip
        assert job["status"] == "done", job["reason"]
        found = arena.get("/bots/Early/robust")
        assert found == {name: value for name, value in job["result"].items() if name in found}
        assert found["by_heart"] == []
        assert "too few to compare" in found["record"]["words"]
        assert found["words"] in arena.client.get("/bots/Early").text.replace("&#39;", "'")
