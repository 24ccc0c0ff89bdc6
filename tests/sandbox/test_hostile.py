"""Every published hostile bot is refused or contained, with and without the language wall."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from sandbox.pool import Pool
from tests.sandbox.hostile import (
    FOLDER,
    Story,
    Traps,
    entries,
    run_checked,
    run_naked,
    run_unchecked,
    sources_of,
)
from tests.sandbox.market import bot

pytestmark = pytest.mark.skipif(
    not entries(), reason=f"the corpus of hostile bots is not at {FOLDER.parent.name}/{FOLDER.name}"
)
BOUND = 10.0
# Without a language wall ctypes can be had; that it finds no secret is what the process wall is for.
ALLOWED_NAKED = {"said BREACH ctypes getenv None"}
every = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry["id"])
bare = pytest.mark.parametrize(
    "entry", [entry for entry in entries() if entry["os_layer"]], ids=lambda entry: entry["id"]
)


@pytest.fixture
def traps(tmp_path: Path, canary: str) -> Traps:
    return Traps(tmp_path, canary)


@every
def test_a_hostile_bot_is_refused_or_contained(bots: Pool, traps: Traps, entry: dict[str, Any]) -> None:
    for source in sources_of(entry):
        story = run_checked(bots, traps.arm(source))
        assert story.breaches(traps) == []
        assert story.seconds < BOUND
        assert story.refused or story.started
        if entry["expected"] == "refused":
            assert story.violations
        if entry["expected"] == "accepted_harmless":
            assert (story.refused, story.errors, story.strikes) == (False, 0, [])


@pytest.mark.parametrize("entry", [e for e in entries() if "output_unsafe" in e["checks"]], ids=lambda e: e["id"])
def test_what_a_hostile_bot_calls_itself_is_clean_text(bots: Pool, traps: Traps, entry: dict[str, Any]) -> None:
    for source in sources_of(entry):
        checked = bots.check(traps.arm(source))
        shown = [str(violation["message"]) for violation in checked.violations]
        for text in (*shown, str(checked.facts.get("name", ""))):
            assert len(text) <= 1000
            assert {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs"} == set()


@bare
def test_without_the_check_it_still_meets_the_restricted_names(bots: Pool, traps: Traps, entry: dict[str, Any]) -> None:
    story = run_unchecked(bots, traps.arm(*sources_of(entry)))
    assert story.started
    assert story.breaches(traps) == []


@bare
def test_without_any_language_wall_the_process_wall_holds(naked: Pool, traps: Traps, entry: dict[str, Any]) -> None:
    story = run_naked(naked, traps.arm(*sources_of(entry)))
    # A start that ended was ended by the wall: nothing else may keep these bots from running.
    assert story.started or set(story.strikes) <= {"SECURITY", "TIMEOUT"}
    assert set(story.breaches(traps)) <= ALLOWED_NAKED


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("ctx.log('BREACH got through')", "said BREACH got through"),
        ("ctx.log('@@FAKE_API_KEY@@')", "shows the secret"),
    ],
)
def test_the_traps_close_on_a_bot_that_gets_through(naked: Pool, traps: Traps, body: str, sentence: str) -> None:
    story = run_naked(naked, traps.arm(bot(body)))
    assert sentence in story.breaches(traps)


def test_the_canary_file_is_looked_for(traps: Traps) -> None:
    traps.canary_file.write_text("CANARY", encoding="ascii")
    assert Story().breaches(traps) == ["made the canary file"]


def test_a_bot_behind_the_process_wall_alone_really_runs(naked: Pool, traps: Traps) -> None:
    source = b"import sys\n" + bot("ctx.log(type(sys._getframe()).__name__)")
    story = run_naked(naked, source)
    assert story.breaches(traps) == []
    assert story.seen == ["frame"] * 40
