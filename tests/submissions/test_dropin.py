"""The drop-in folder of a running arena: its files are bots, their paths their identity."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arenas import BUYER, Running, bot_source, running, settings_for, until


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("watched")
    with running(settings_for(folder), folder) as arena:
        yield arena


def path_of(arena: Running, name: str) -> Path:
    return arena.folder / "bots" / f"{name.lower().replace(' ', '_')}.py"


def drop(arena: Running, name: str, source: str) -> Path:
    path = path_of(arena, name)
    path.write_text(source)
    return path


def status(arena: Running, name: str) -> str | None:
    found = arena.api("GET", f"/bots/{name}")
    return found.json()["status"] if found.status_code == 200 else None


def becomes(arena: Running, name: str, wanted: str) -> None:
    until(lambda: status(arena, name) == wanted, f"{name} is {wanted}")


def test_a_new_file_becomes_a_bot(watched: Running, own_name: str) -> None:
    path = drop(watched, own_name, bot_source(BUYER, name=own_name))
    becomes(watched, own_name, "active")
    bot = watched.get(f"/bots/{own_name}")
    assert (bot["author"], bot["origin"], bot["path"]) == ("folder", "folder", str(path))


def test_a_file_with_an_underscore_is_nobodys_bot(watched: Running, own_name: str) -> None:
    (watched.folder / "bots" / "_helper.py").write_text(bot_source(name=f"{own_name} hidden"))
    drop(watched, own_name, bot_source(name=own_name))
    becomes(watched, own_name, "active")
    assert status(watched, f"{own_name} hidden") is None


@pytest.mark.system
def test_a_changed_file_is_the_next_version(watched: Running, own_name: str) -> None:
    drop(watched, own_name, bot_source(name=own_name))
    becomes(watched, own_name, "active")
    drop(watched, own_name, bot_source("x = 1", name=own_name))
    becomes(watched, f"{own_name} v2", "active")
    becomes(watched, own_name, "retired")


@pytest.mark.system
def test_a_file_that_goes_back_is_a_change_too(watched: Running, own_name: str) -> None:
    first, second = bot_source(name=own_name), bot_source("x = 1", name=own_name)
    drop(watched, own_name, first)
    becomes(watched, own_name, "active")
    drop(watched, own_name, second)
    becomes(watched, f"{own_name} v2", "active")
    drop(watched, own_name, first)
    becomes(watched, f"{own_name} v3", "active")
    becomes(watched, f"{own_name} v2", "retired")


def test_a_refused_change_leaves_the_old_version_running(
    watched: Running, own_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    drop(watched, own_name, bot_source(name=own_name))
    becomes(watched, own_name, "active")
    path = drop(watched, own_name, "import os; os.sep\n" + bot_source(name=own_name))
    until(lambda: f"{path}:1: " in caplog.text, "the refusal is told")
    assert status(watched, own_name) == "active"
    assert status(watched, f"{own_name} v2") is None


@pytest.mark.system
def test_a_deleted_file_pauses_its_bot_and_its_return_wakes_it(watched: Running, own_name: str) -> None:
    source = bot_source(name=own_name)
    path = drop(watched, own_name, source)
    becomes(watched, own_name, "active")
    until(lambda: watched.seat(own_name).started, "it has started")
    path.unlink()
    becomes(watched, own_name, "paused")
    assert watched.get(f"/bots/{own_name}")["reason"] == "its file is gone"
    drop(watched, own_name, source)
    becomes(watched, own_name, "active")
    assert watched.get(f"/bots/{own_name}")["reason"] == ""


def test_a_second_file_with_a_taken_name_is_refused_and_both_are_named(
    watched: Running, own_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = drop(watched, own_name, bot_source(name=own_name))
    becomes(watched, own_name, "active")
    second = drop(watched, f"{own_name} copy", bot_source("x = 2", name=own_name))
    with caplog.at_level(logging.ERROR):
        until(lambda: [m for m in caplog.messages if str(second) in m and str(first) in m], "both are named")
    assert status(watched, own_name) == "active"
    assert status(watched, f"{own_name} v2") is None


@pytest.mark.system
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"def", b"NAME = 1"])
def test_a_file_that_fails_hurts_no_other(watched: Running, own_name: str, content: bytes) -> None:
    path_of(watched, f"{own_name} bad").write_bytes(content)
    drop(watched, own_name, bot_source(name=own_name))
    becomes(watched, own_name, "active")


@pytest.mark.system
def test_a_folder_between_the_files_is_no_bot(watched: Running, own_name: str) -> None:
    path_of(watched, f"{own_name} folder").mkdir()
    drop(watched, own_name, bot_source(name=own_name))
    becomes(watched, own_name, "active")


@pytest.mark.system
def test_a_restart_finds_the_folder_as_it_has_become(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    names = ("Stays", "Goes", "Sleeps", "Changes")
    with running(settings, tmp_path) as arena:
        for name in names:
            drop(arena, name, bot_source(BUYER, name=name))
        for name in names:
            becomes(arena, name, "active")
        until(lambda: all(arena.seat(name).score.trades for name in names), "all have traded")
        paused = arena.api("POST", "/bots/Sleeps/pause")
        assert paused.status_code == 200, paused.text
        before = {name: arena.seat(name).account for name in names}
    path_of(arena, "Goes").unlink()
    drop(arena, "Changes", bot_source(name="Changes"))
    with running(settings, tmp_path) as arena:
        becomes(arena, "Changes v2", "active")
        becomes(arena, "Goes", "paused")
        becomes(arena, "Stays", "active")
        becomes(arena, "Changes", "retired")
        # A person has put it to sleep; that its file is there does not wake it.
        assert status(arena, "Sleeps") == "paused"
        assert {name: arena.seat(name).account for name in names} == before
        assert arena.get("/status")["season"]["number"] == 1
