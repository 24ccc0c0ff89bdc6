"""Commands that talk to a running server."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from arena.cli.bots import SHOWN
from arena.web.schemas import BotDetail
from tests.arenas import BUYER, Running, bot_source, until
from tests.cli.conftest import Done, Run
from tests.conftest import TOKEN

ROOT = Path(__file__).resolve().parents[2]
EMA = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"


def reading(live: Running, run: Run, *arguments: str) -> Done:
    return run(*arguments, "--url", live.url)


def test_a_strategy_is_submitted_and_followed_to_its_end(live: Running, run: Run, own_name: str) -> None:
    done = run("submit", EMA, "--name", own_name, "--json", "--url", live.url)
    assert done.code == 0
    item = done.json()
    assert (item["status"], item["attempts"][0]["model"]) == ("admitted", "template")
    shown = run("submit", EMA, "--name", own_name, "--url", live.url)
    assert "admitted" in shown.out
    newest = live.get(f"/bots/{own_name} %232")
    assert newest["bot_id"] in shown.out


def test_the_last_state_is_told_once(live: Running, run: Run, own_name: str) -> None:
    for follow in ([], ["--follow"]):
        done = run("submit", EMA, "--name", own_name, *follow, "--url", live.url)
        assert (done.out + done.err).count("admitted") == 1


def test_several_bots_of_one_strategy_are_asked_for(live: Running, run: Run, own_name: str) -> None:
    done = run("submit", EMA, "--name", own_name, "--samples", "2", "--keep", "all", "--json", "--url", live.url)
    assert [item["status"] for item in done.json()["items"]] == ["admitted", "admitted"]


def test_every_fact_of_a_bot_is_shown_in_words(live: Running, run: Run, own_name: str) -> None:
    live.admitted(bot_source(BUYER, name=own_name))
    shown = reading(live, run, "bots", "show", own_name).out
    assert set(BotDetail.model_fields) == set(SHOWN)
    assert re.match(rf"bot +{own_name}\n", shown)
    assert not re.search(r"[a-z]_[a-z]", shown.replace(own_name, ""))


def test_a_strategy_is_read_from_a_file(live: Running, run: Run, own_name: str, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text(EMA)
    done = run("submit", "-f", path, "--name", own_name, "--json", "--url", live.url)
    assert done.json()["prompt"] == EMA


def test_a_strategy_that_is_not_understood_exits_3(live: Running, run: Run) -> None:
    done = run("submit", "please whistle a merry tune", "--url", live.url)
    assert done.code == 3
    assert "Rejected while it was written. " in done.err
    assert "whistle" in done.err


def test_a_model_that_is_not_there_exits_1(live: Running, run: Run) -> None:
    done = run("submit", EMA, "--model", "gpt-none", "--url", live.url)
    assert done.code == 1
    assert "OPENAI_MODEL" in done.err


@pytest.mark.parametrize("arguments", [[], ["x", "-f", "y"], ["-f", "nowhere.txt"]])
def test_a_submission_of_nothing_exits_2(live: Running, run: Run, arguments: list[str]) -> None:
    assert run("submit", *arguments, "--url", live.url).code == 2


def test_bots_are_uploaded_and_the_refused_are_told(live: Running, run: Run, own_name: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(bot_source(BUYER, name=own_name))
    bad.write_text("import os; os.sep\n" + bot_source(name=f"{own_name} bad"))
    done = run("upload", good, bad, "--author", "Ann", "--json", "--url", live.url)
    assert done.code == 3
    first, second = done.json()
    assert (first["accepted"], first["bot"]["name"], first["bot"]["author"]) == (True, own_name, "Ann")
    assert (second["accepted"], second["violations"][0]["line"]) == (False, 1)
    assert run("upload", good, "--author", "Ann", "--url", live.url).code == 0
    taken = run("upload", good, "--author", "Bob", "--url", live.url)
    assert taken.code == 1
    assert "another author" in taken.err


@pytest.mark.system
def test_every_reading_command_prints_one_document(live: Running, run: Run, own_name: str) -> None:
    seat = live.admitted(bot_source(f"{BUYER}\nctx.log('here')", name=own_name))
    until(lambda: seat.score.trades, "a trade")
    assert own_name in {
        item["name"] for item in reading(live, run, "leaderboard", "--json", "--limit", "1000").json()["items"]
    }
    assert own_name in {item["name"] for item in reading(live, run, "bots", "list", "--json").json()["items"]}
    assert reading(live, run, "bots", "show", own_name, "--json").json()["bot_id"] == seat.id
    assert reading(live, run, "bots", "source", seat.id, "--json").json()["source"] == seat.bot.source
    # On a machine that is busy the log also says that an answer was late.
    logs = reading(live, run, "bots", "logs", own_name, "--json").json()["items"]
    assert "here" in {row["message"] for row in logs}
    assert reading(live, run, "bots", "trades", own_name, "--json").json()["items"][0]["side"] == "BUY"
    assert reading(live, run, "season", "list", "--json").json()["items"][0]["number"] == 1


@pytest.mark.system
def test_every_reading_command_has_words_for_people(live: Running, run: Run, own_name: str) -> None:
    seat = live.admitted(bot_source(f"{BUYER}\nctx.log('here')", name=own_name))
    until(lambda: seat.score.trades, "a trade")
    for arguments in (
        ["leaderboard", "--limit", "1000"], ["bots", "list"], ["bots", "show", own_name], ["bots", "logs", own_name],
        ["bots", "trades", own_name], ["season", "list"],
    ):  # fmt: skip
        done = reading(live, run, *arguments)
        assert done.code == 0
        assert len(done.out.splitlines()) >= 2
    assert reading(live, run, "bots", "source", own_name).out == seat.bot.source


def test_a_bot_is_paused_resumed_and_retired(live: Running, run: Run, own_name: str) -> None:
    live.admitted(bot_source(name=own_name))
    for command, status, more in (("pause", "paused", ()), ("resume", "active", ()), ("retire", "retired", ("--yes",))):
        done = reading(live, run, "bots", command, own_name, *more)
        assert done.code == 0
        assert status in done.out
    again = reading(live, run, "bots", "resume", own_name)
    assert again.code == 1
    assert "retired" in again.err


@pytest.mark.parametrize("command", ["show", "source", "logs", "trades", "pause", "resume", "retire"])
def test_an_unknown_bot_exits_4(live: Running, run: Run, command: str) -> None:
    done = reading(live, run, "bots", command, "nobody")
    assert done.code == 4
    assert "nobody" in done.err


@pytest.mark.system
def test_a_write_without_the_token_exits_5(guarded: Running, run: Run) -> None:
    done = run("submit", EMA, "--url", guarded.url)
    assert done.code == 5
    assert "ARENA_TOKEN" in done.err
    assert run("submit", EMA, "--url", guarded.url, ARENA_TOKEN="wrong").code == 5


def test_the_token_comes_from_the_environment(guarded: Running, run: Run, own_name: str) -> None:
    done = run("submit", EMA, "--name", own_name, "--url", guarded.url, ARENA_TOKEN=TOKEN)
    assert done.code == 0
    assert TOKEN not in done.out + done.err


@pytest.mark.parametrize(
    "arguments", [["leaderboard"], ["bots", "list"], ["submit", "x"], ["season", "list"], ["watch"]]
)
def test_no_server_exits_6_and_says_how_to_start_one(run: Run, arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = run(*arguments, "--url", f"http://127.0.0.1:{port}")
    assert done.code == 6
    assert "arena serve" in done.err


def test_the_server_is_found_by_the_environment(live: Running, run: Run) -> None:
    assert run("leaderboard", "--json", ARENA_URL=live.url).code == 0
    assert run("leaderboard", "--json", PORT=live.url.rpartition(":")[2]).code == 0


def test_a_wrong_sort_is_a_sentence(live: Running, run: Run) -> None:
    done = run("leaderboard", "--sort", "nonsense", "--url", live.url)
    assert done.code in {1, 2}
    assert "sort" in done.err


def test_a_name_that_would_move_a_cursor_cannot(live: Running, run: Run, own_name: str) -> None:
    live.upload(bot_source(name=f"\x1b[2J[red]{own_name}[/red]"))
    done = run("bots", "list", "--url", live.url)
    assert done.code == 0
    assert "\x1b" not in done.out


def test_a_bot_is_found_without_the_case_of_its_name(live: Running, run: Run, own_name: str) -> None:
    seat = live.admitted(bot_source(name=own_name))
    done = reading(live, run, "bots", "show", own_name.upper(), "--json")
    assert done.json()["bot_id"] == seat.id


@pytest.mark.parametrize(("answer", "code", "status"), [("y\n", 0, "retired"), ("n\n", 1, "active"), ("", 2, "active")])
def test_a_retirement_is_asked_about(
    live: Running, run: Run, own_name: str, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, status: str
) -> None:
    seat = live.admitted(bot_source(name=own_name))
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    done = reading(live, run, "bots", "retire", own_name)
    assert done.code == code
    assert f"Retire {own_name} (0 trades, active) for good?" in done.err
    assert seat.status == status


def test_watching_into_a_pipe_prints_lines(live: Running, own_name: str) -> None:
    live.admitted(bot_source(BUYER, name=own_name))
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "watch", "--url", live.url], stdout=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        title = process.stdout.readline()
        assert title.startswith("Season ")
        found = next(line for line in process.stdout if own_name in line and "  active  " in line)
    finally:
        process.terminate()
        process.communicate()
    assert "\x1b" not in title + found


def test_what_is_no_arena_is_told_in_a_sentence(run: Run) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>It works</h1>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run("leaderboard", "--url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert done.code == 6
    assert "is no arena" in done.err


@pytest.mark.parametrize("url", ["http://[bad", "nonsense", "http://127.0.0.1:x"])
def test_an_address_that_is_none_is_told_in_a_sentence(run: Run, url: str) -> None:
    assert run("leaderboard", "--url", url).code == 6


def test_a_file_that_is_not_utf8_is_refused(live: Running, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes('# one\nNAME = "Müller"\n'.encode("latin-1"))
    done = run("upload", path, "--url", live.url)
    assert done.code == 2
    assert "line 2 is not UTF-8 text" in done.err


@pytest.mark.system
def test_webhooks_are_added_listed_tried_and_removed(live: Running, run: Run) -> None:
    made = run("webhooks", "add", "http://127.0.0.1:9/hook", "--event", "trade", "--json", "--url", live.url).json()
    assert made["secret"].startswith("whsec_")
    listed = reading(live, run, "webhooks", "list", "--json").json()["items"]
    assert [(one["id"], one["events"]) for one in listed] == [(made["id"], ["trade"])]
    assert made["id"][:8] in reading(live, run, "webhooks", "list").out
    tried = reading(live, run, "webhooks", "test", made["id"])
    assert tried.code == 1
    assert "WEBHOOKS_PRIVATE=on" in tried.err
    assert reading(live, run, "webhooks", "remove", made["id"]).code == 0
    assert reading(live, run, "webhooks", "remove", made["id"]).code == 4
    assert run("webhooks", "add", "nowhere", "--url", live.url).code == 1


@pytest.mark.system
def test_what_a_bot_does_and_why_is_told(live: Running, run: Run, own_name: str) -> None:
    seat = live.admitted(bot_source(BUYER, name=own_name))
    until(lambda: live.get(f"/bots/{seat.id}/trades")["items"], "a trade")
    assert "BUY" in str(reading(live, run, "bots", "explain", own_name, "--json").json()["order"])
    assert reading(live, run, "bots", "lineage", own_name, "--json").json()["items"][0]["name"] == own_name
    assert reading(live, run, "bots", "behaviour", own_name, "--json").json()["tapes"]
    assert reading(live, run, "models", "--json").json()["items"]
    revised = reading(live, run, "bots", "revise", own_name, "sell 1 % higher", "--json").json()
    assert live.ended(revised["id"])["status"] in {"admitted", "rejected"}
    asked = reading(live, run, "answer", revised["id"])
    assert asked.code == 4
