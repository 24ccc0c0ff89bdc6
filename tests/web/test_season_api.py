"""Closing a season and opening the next, and a recording that is played to its end."""

from __future__ import annotations

from pathlib import Path

from tests.arenas import BUYER, bot_source, running, settings_for, until


def test_a_season_is_closed_and_the_next_opens_with_the_same_bots(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        seat = arena.admitted(bot_source(BUYER, name="Carried"))
        until(lambda: seat.score.trades, "a trade")
        assert arena.api("POST", "/seasons/close").json()["status"] == "closed"
        until(lambda: arena.get("/status")["state"] == "finished", "no tick follows")
        tick = arena.get("/prices")["tick"]
        assert arena.get("/seasons")["items"][0]["status"] == "closed"
        assert arena.api("POST", "/seasons").json()["season"] == 2
        arena.ticks(3)
        assert [item["number"] for item in arena.get("/seasons")["items"]] == [2, 1]
        assert arena.get("/bots/Carried")["trades"] <= 1
        assert arena.get("/prices")["tick"] < tick + 1000
        assert arena.seat("Carried").account.cash <= 10_000.0


def test_a_recording_is_played_by_the_bots_of_the_folder_from_its_first_tick(tmp_path: Path) -> None:
    data = tmp_path / "market.csv"
    rows = "".join(f"{1_700_000_000 + n},BTCUSDT,{100 + n % 7}\n" for n in range(45))
    data.write_text("time,symbol,price\n" + rows)
    settings = settings_for(tmp_path, feed=f"replay:{data}")
    (tmp_path / "bots" / "early.py").write_text(bot_source(BUYER, name="Early"))
    with running(settings, tmp_path) as arena:
        until(lambda: arena.get("/status")["state"] == "finished", "the recording has ended")
        (trade,) = arena.get("/bots/Early/trades")["items"]
        assert trade["time"] == 1_700_000_001.0
        assert [point["time"] - 1_700_000_000 for point in arena.get("/bots/Early/equity")["items"]] == [
            0.0, 10.0, 20.0, 30.0, 40.0, 44.0,
        ]  # fmt: skip
        board = arena.get("/leaderboard")
        assert board["season"]["status"] == "closed"
        assert board["items"][0]["rank"] == 1
        assert arena.client.get("/readyz").status_code == 200
