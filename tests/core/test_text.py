"""Text of strangers, cleaned at the border."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.text import LINE_LIMIT, clean_line, clean_name

HOSTILE = ["\x1b[2J", "\r\n", "\u202e", "\u200b", "\0", "\ud800", "\u2028", "\x85", "\t", "\x7f", "\ufeff"]


@pytest.mark.parametrize("mark", HOSTILE)
def test_no_mark_that_moves_hides_or_reorders_survives(mark: str) -> None:
    for cleaned in (clean_line(f"a{mark}b"), clean_name(f"a{mark}b")):
        assert cleaned.isprintable()
        assert cleaned[0] == "a"
        assert cleaned[-1] == "b"


def test_line_breaks_stay_visible_as_bars() -> None:
    assert clean_line("one\ntwo\r\n\r\nthree\n") == "one | two | three"


@given(st.text())
def test_a_line_is_one_visible_line_of_bounded_length(text: str) -> None:
    cleaned = clean_line(text)
    assert all(unicodedata.category(character)[0] != "C" for character in cleaned)
    assert len(cleaned.splitlines()) <= 1
    assert len(cleaned) <= LINE_LIMIT


@given(st.text())
def test_a_name_is_visible_and_has_no_empty_ends(text: str) -> None:
    cleaned = clean_name(text)
    assert all(unicodedata.category(character)[0] != "C" for character in cleaned)
    assert cleaned == cleaned.strip()


def test_plain_text_of_any_script_is_left_alone() -> None:
    for text in ("Déjà vu", "移動平均", "Скользящая", "a b", "100% RSI_14 (v2)"):
        assert clean_name(text) == text
        assert clean_line(text) == text
