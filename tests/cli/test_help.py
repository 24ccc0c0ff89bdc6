"""`--help`: each command stands with its like, and no type of Python is printed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.main import get_command

from arena.cli.help import PANELS, name_of
from arena.cli.main import app
from tests.cli.conftest import Run


def commands(command: Any, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of a command and of all below it."""
    below = getattr(command, "commands", {})
    return [words, *(each for name, one in below.items() for each in commands(one, (*words, name)))]


def test_every_command_has_a_panel() -> None:
    named = {name for names in PANELS.values() for name in names}
    assert {name_of(info) for info in (*app.registered_commands, *app.registered_groups)} <= named


def test_brackets_are_no_markup(run: Run) -> None:
    assert "pip install 'arena[ray]'" in run("--help", COLUMNS="200").out


def test_the_panels_stand_in_order(run: Run) -> None:
    text = run("--help").out
    places = [text.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)


@pytest.mark.parametrize("words", commands(get_command(app)), ids=" ".join)
def test_no_help_names_a_type_of_python(run: Run, words: tuple[str, ...]) -> None:
    text = run(*words, "--help").out
    assert not re.search(r"<\w+|list\[|\bint range\b|\.\.\.\}\.\.\.", text)
    assert re.search(r"--help +-h +Show this message", text)


def test_options_say_what_kind_of_value_they_take(run: Run) -> None:
    text = run("serve", "--help", COLUMNS="120").out
    assert re.search(r"--port +NUMBER \[0<=x<=65535\]", text)
    assert re.search(r"--db +PATH", text)
    assert re.search(r"--host +TEXT", text)
    assert re.search(r"--no-dashboard +Log lines only", text)
