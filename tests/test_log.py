"""Log lines: for people as they always were, as JSON for programs, without secrets."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from arena import log
from arena.config import ModelSettings, Settings
from arena.core.text import clean_text


def record(words: str, *values: object, level: int = logging.INFO, **facts: object) -> logging.LogRecord:
    made = logging.LogRecord("arena.web", level, __file__, 1, words, values, None)
    made.__dict__.update(facts)
    made.created = 1_800_000_000.25
    return made


def as_json(made: logging.LogRecord, *hide: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(log.formatter("json", hide).format(made))
    return found


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lines of this file are about no request and no season unless a test says so, and none of another file after."""
    monkeypatch.setattr(log, "_facts", {})
    before = log._request.set(None)
    yield
    log._request.reset(before)


def test_a_line_for_people_is_as_it_was() -> None:
    line = log.formatter().format(record("Bot '%s' by %s is admitted", "Ada", "me", bot="Ada", level=logging.WARNING))
    clock, _, rest = line.partition(" ")
    assert len(clock) == 8
    assert rest == "[WARNING] arena.web: Bot 'Ada' by me is admitted"


def test_a_line_for_people_names_its_request() -> None:
    log.begin_request("from-the-proxy.1")
    assert log.formatter().format(record("Away")).endswith("arena.web: Away (request from-the-proxy.1)")


def test_a_line_for_programs_says_what_it_is_about() -> None:
    log.name_season(7)
    log.begin_request("abc")
    assert as_json(record("%s: buys", "Ada", bot="Ada", tick=12)) == {
        "timestamp": "2027-01-15T08:00:00.250+00:00", "level": "info", "logger": "arena.web", "event": "Ada: buys",
        "request_id": "abc", "season": 7, "bot": "Ada", "tick": 12,
    }  # fmt: skip
    assert as_json(record("of another season", season=6))["season"] == 6


@pytest.mark.parametrize("given", [None, "", "with space", "x\n[ERROR] forged", "a" * 65, "é", "-begins", "\x1b[2J"])
def test_an_id_that_could_forge_a_line_is_replaced(given: str | None) -> None:
    first, second = log.begin_request(given), log.begin_request(given)
    assert given not in {first, second}
    assert first != second
    assert log.request_id() == second


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_trace_stands_with_its_line_and_hides_what_is_secret(form: str) -> None:
    try:
        int('the key "sk-very-secret" does not fit')
    except ValueError:
        made = record("A fault of %s", "sk-very-secret", level=logging.ERROR)
        made.exc_info = sys.exc_info()
    line = log.formatter(form, ["sk-very-secret", "sk-very", "no"]).format(made)
    assert "sk-very" not in line
    assert line.count("***") >= 2
    assert "ValueError" in line
    assert form == "text" or "Traceback" in json.loads(line)["exception"]
    # A secret of two letters would hide half of the words.
    assert "does not fit" in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_strangers_write_moves_no_cursor_and_begins_no_line(form: str) -> None:
    hostile = "one\x1b[2J\u202e\u2066\x07two\r\nthree"
    line = log.formatter(form).format(record("%s", hostile, bot=hostile))
    assert clean_text(line) == line
    assert form == "text" or len(line.splitlines()) == 1


def test_every_secret_setting_is_known_to_the_log() -> None:
    model = ModelSettings(model="m", api_key_env="KEY_OF_M")
    settings = Settings(
        _env_file=None, arena_token="token-1", openai_api_key="key-openai", alpaca_api_key="key-alpaca",
        alpaca_secret_key="secret-alpaca", stockdata_api_key="key-stock", models={"m": model},
        database_url="postgresql://arena:p%40ss-word@db/arena",
    )  # fmt: skip
    settings.models["m"] = model.model_copy(update={"api_key": type(settings.arena_token)("key-of-m")})
    assert set(settings.secrets) == {
        "token-1", "key-openai", "key-alpaca", "secret-alpaca", "key-stock", "key-of-m", "p%40ss-word", "p@ss-word",
    }  # fmt: skip


def test_until_the_screen_comes_up_its_lines_are_shown() -> None:
    shown = io.StringIO()
    handler = log.LastLines(2, shown)
    handler.setFormatter(log.formatter())
    for words in ("first", "second", "third"):
        handler.emit(record(words))
    handler.echo = None
    handler.emit(record("fourth"))
    assert [line.rpartition(" ")[2] for line in shown.getvalue().splitlines()] == ["first", "second", "third"]
    assert [line.rpartition(" ")[2] for line in handler.lines] == ["third", "fourth"]
    # What the terminal has already is not told again when the screen is gone.
    assert [line.rpartition(" ")[2] for line in handler.unseen] == ["fourth"]
