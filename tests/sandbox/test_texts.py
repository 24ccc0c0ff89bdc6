"""What comes from a child is cleaned where it enters the server."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.pool import Pool
from sandbox.talk.checked import read_checked
from sandbox.talk.plain_text import plain_text
from sandbox.talk.protocol import pack_pair
from sandbox.talk.request import WorkerReply
from sandbox.talk.verdict import Verdict

DIRTY = "\ud800 \x1b[31mred \u202egnp.exe \x9b1m \u200b \x00 \x85 line\r\nnext \ue000"
HEAD = 'NAME = "x"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick): pass\n'


def is_clean(text: str) -> bool:
    text.encode()
    return all(unicodedata.category(character)[0] != "C" for character in text)


def answered(document: object) -> WorkerReply:
    head = json.dumps(document).encode()
    return WorkerReply(Verdict.OK, pack_pair(head, b""), "", 0.0)


@pytest.mark.parametrize("raised", ["ValueError", "KeyError", "SystemExit", "UnicodeError", "ImportError"])
def test_a_load_error_with_any_text_is_a_violation_that_can_be_shown(bots: Pool, raised: str) -> None:
    (found,) = bots.check(f"{HEAD}raise {raised}({DIRTY!r})\n".encode()).violations
    assert found["rule"] == "load-failed"
    assert is_clean(found["message"])
    assert json.dumps(found, ensure_ascii=False).encode()
    assert raised == "KeyError" or "red" in found["message"]


def test_a_text_of_the_source_in_a_violation_can_be_shown(bots: Pool) -> None:
    for line in (
        "x = '\\ud800'.nothing",
        "import \u202ex",
        "assert False, '\x1b[1m'",
        "1/0 #\u202e",
        "from x\u200b import y",
    ):
        for found in bots.check((HEAD + line).encode()).violations:
            assert is_clean(found["message"] + found["hint"] + found["rule"])


def test_a_hostile_checker_says_nothing_that_cannot_be_shown() -> None:
    item = {"line": 10**30, "column": -5, "rule": DIRTY, "message": DIRTY * 200, "hint": DIRTY}
    checked = read_checked(answered({"violations": [item], "warnings": [DIRTY] * 999, "facts": {}}))
    (found,) = checked.violations
    assert is_clean(found["message"] + found["hint"] + found["rule"] + "".join(checked.warnings))
    assert (found["line"], found["column"], found["rule"]) == (1_000_000, 1, "load-failed")
    assert len(found["message"]) <= 600
    assert len(checked.warnings) == 50


@pytest.mark.parametrize("head", [
    {}, {"violations": []}, {"violations": [1], "warnings": [], "facts": {}}, [], 5, None,
    {"violations": [], "warnings": 5, "facts": {}}, {"violations": [], "warnings": [], "facts": 5},
    {"violations": [{"line": "x"}], "warnings": [], "facts": {}},
    {"violations": [{"line": float("inf"), "column": 1, "rule": "", "message": "", "hint": ""}],
     "warnings": [], "facts": {}},
])  # fmt: skip
def test_nonsense_of_a_checker_is_one_violation(head: object) -> None:
    assert [found["rule"] for found in read_checked(answered(head)).violations] == ["load-limit"]


@given(text=st.text(st.characters(), max_size=300), limit=st.integers(4, 100))
def test_a_plain_text_is_visible_and_short(text: str, limit: int) -> None:
    plain = plain_text(text, limit)
    assert is_clean(plain)
    assert len(plain) <= limit
    assert plain_text(plain, limit) == plain
