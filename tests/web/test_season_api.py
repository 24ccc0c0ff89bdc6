"""Closing a season and opening the next, and a recording that is played to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.store.receipts import is_signed
from tests.arenas import BUYER, Running, bot_source, running, settings_for, until


@pytest.mark.system
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


@pytest.mark.system
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


@pytest.mark.system
def test_a_past_season_can_be_read_by_its_number(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        seat = arena.admitted(bot_source(f"{BUYER}\nctx.log('here')", name="Carried"))
        until(lambda: seat.score.trades and arena.get("/bots/Carried/equity")["items"], "a trade and a snapshot")
        retired = arena.admitted(bot_source(name="Only Then"))
        arena.api("POST", "/seasons/close")
        until(lambda: arena.get("/status")["state"] == "finished", "no tick follows")
        reads = ("/leaderboard", "/bots", "/prices", "/trades", "/bots/Carried", "/bots/Carried/trades",
                 "/bots/Carried/orders", "/bots/Carried/logs", "/bots/Carried/equity")  # fmt: skip
        before = {path: arena.get(path) for path in reads}
        assert {path: arena.get(path, params={"season": 1}) for path in reads} == before
        arena.api("POST", "/seasons")
        arena.ticks(2)
        arena.api("DELETE", f"/bots/{retired.id}")
        # What is known of a bot in a past season is what was recorded last; the same for every read of it.
        after = {path: arena.get(path, params={"season": 1}) for path in reads}
        assert after == before
        assert arena.get("/leaderboard?season=2")["season"]["number"] == 2
        assert arena.get("/leaderboard?season=1")["season"] == arena.get("/seasons/1")
        csv = arena.api("GET", "/leaderboard?season=1", headers={"accept": "text/csv"}).text
        assert {"Carried", "Only Then"} <= {line.split(",")[1] for line in csv.splitlines()}
        assert arena.api("GET", "/bots/Only Then/source?season=1").status_code == 200


@pytest.mark.system
def test_the_board_of_a_named_season_does_not_become_that_of_the_next(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        arena.admitted(bot_source(name="First"))
        arena.ticks(1)
        for _ in range(2):
            assert arena.get("/leaderboard?season=1")["season"]["number"] == 1
        arena.api("POST", "/seasons")
        arena.ticks(1)
        assert arena.get("/leaderboard?season=1")["season"]["number"] == 1
        assert arena.get("/leaderboard")["season"]["number"] == 2


@pytest.mark.parametrize("path", ["/leaderboard", "/bots", "/prices", "/trades", "/bots/x", "/bots/x/bundle"])
@pytest.mark.parametrize(("number", "status"), [("77", 404), ("0", 422), ("x", 422), (str(2**63), 422)])
def test_a_season_that_is_none_is_a_problem(live: Running, path: str, number: str, status: int) -> None:
    answer = live.api("GET", path, params={"season": number})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("number", "status"), [("77", 404), ("0", 422), ("x", 422), (str(2**63), 422)])
def test_a_season_that_is_none_is_not_shown(live: Running, number: str, status: int) -> None:
    assert live.api("GET", f"/seasons/{number}").status_code == status


def test_a_name_is_found_without_its_case_where_it_is_the_only_one(live: Running, own_name: str) -> None:
    bot = live.upload(bot_source(name=f"{own_name} Straße"))
    assert live.get(f"/bots/{own_name.upper()} STRASSE")["bot_id"] == bot["bot_id"]
    other = live.upload(bot_source(name=f"{own_name} STRASSE"))
    assert live.get(f"/bots/{own_name} STRASSE")["bot_id"] == other["bot_id"]
    answer = live.api("GET", f"/bots/{own_name} strasse")
    assert answer.status_code == 404
    assert "write the name exactly" in answer.json()["detail"]


@pytest.mark.system
def test_a_season_begins_at_its_start_ends_at_its_end_and_writes_its_report(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        arena.admitted(bot_source(BUYER, name="Carried"))
        for wrong, said in (
            ({"ends": "yesterday"}, "is no time"), ({"ends": "2001-01-01"}, "cannot end in the past"),
            ({"starts": "+2h", "ends": "2090-01-01", "entry_deadline": "2091-01-01"}, "must not be after the end"),
        ):  # fmt: skip
            refused = arena.api("POST", "/seasons", json=wrong)
            assert (refused.status_code, said in refused.json()["detail"]) == (422, True), refused.text
        assert arena.get("/seasons")["items"][0]["number"] == 1
        assert arena.client.get("/api/v1/seasons/1/report").status_code == 409
        made = arena.api("POST", "/seasons", json={"starts": "+1s", "ends": "+2s", "entry_deadline": "+1.5s"})
        assert made.json()["season"] == 2
        season = arena.get("/seasons/2")
        starts, ends = season["starts_at"], season["ends_at"]
        assert ends - starts == pytest.approx(2.0)
        assert season["rules"] == arena.get("/status")["season"]["rules"]
        assert season["rules"]["ends_at"] == ends
        until(lambda: arena.get("/seasons/2")["status"] == "closed", "the season has ended")
        times = arena.get("/prices/history", params={"season": 2})["times"]
        assert times
        assert starts <= times[0]
        assert times[-1] <= ends
        late = arena.api("POST", "/bots", json={"source": bot_source(name="Late"), "author": "ann"})
        assert late.status_code == 409
        signed = until(
            lambda: (answer := arena.client.get("/api/v1/seasons/2/report")).status_code == 200 and answer.json(),
            "the report",
        )
        assert signed["report"]["rules"] == season["rules"]
        assert is_signed(signed["report"], signed["signature"], arena.get("/key")["key"])
        assert arena.client.get("/api/v1/seasons/2/report").json() == signed
        page = arena.client.get("/api/v1/seasons/2/report?format=html")
        assert page.headers["content-type"].startswith("text/html")
        assert "returns every 300 s" in page.text


@pytest.mark.system
def test_seasons_of_a_length_follow_each_other(tmp_path: Path) -> None:
    with running(settings_for(tmp_path, season_length="2s"), tmp_path) as arena:
        # On a busy machine the season may be over before its bot has started: the season, not a seat, is waited for.
        name = arena.upload(bot_source(name="Carried"))["name"]
        first = arena.get("/seasons/1")
        assert first["ends_at"] == pytest.approx(first["opened_at"] + 2.0)
        until(lambda: len(arena.get("/seasons")["items"]) > 1, "the next season")
        assert arena.get("/seasons/1")["status"] == "closed"
        assert arena.get("/seasons/2")["opened_at"] >= first["ends_at"]
        until(lambda: name in [item["name"] for item in arena.get("/bots")["items"]], "the bot plays on")


@pytest.mark.system
def test_after_the_deadline_nobody_comes_in(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        assert arena.api("POST", "/seasons", json={"ends": "+1h", "entry_deadline": "+0.3s"}).status_code == 200
        deadline = arena.get("/seasons/2")["entry_deadline"]
        until(lambda: arena.get("/prices")["time"] > deadline, "the deadline")
        late = arena.api("POST", "/bots", json={"source": bot_source(name="Late"), "author": "ann"})
        assert late.status_code == 409
        assert "the next season begins" in late.json()["detail"]
        asked = arena.api("POST", "/strategies", json={"prompt": "buy and hold BTC", "author": "ann"})
        assert asked.status_code == 409
