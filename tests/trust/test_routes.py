"""What the API says of ranks, over a running arena."""

from __future__ import annotations

from tests.arenas import BUYER, Running, bot_source, until


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
