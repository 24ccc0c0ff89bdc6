"""Finding the bot in an answer of any shape."""

from __future__ import annotations

import ast
import difflib
import html
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.submissions.extract import extract, extract_bot

BOT = 'NAME = "X"\nSYMBOLS = ["BTCUSDT"]\n\n\ndef on_tick(ctx, tick):\n    ctx.log("hi")\n'
OTHER = "print('how to run it')\n"
DRAFT = 'NAME = "Draft"\nSYMBOLS = ["A"]\n\n\ndef on_tick(ctx, tick):\n    pass\n'
INDENTED = "".join(f"   {line}\n" if line else "\n" for line in BOT.splitlines())


def fenced(body: str, language: str = "python", mark: str = "```") -> str:
    lines = body if body.endswith("\n") or not body else f"{body}\n"
    return f"{mark}{language}\n{lines}{mark}\n"


FOUND = {
    "one block": fenced(BOT),
    "prose around": f"Sure!\n\n{fenced(BOT)}\nGood luck.",
    "no language": fenced(BOT, ""),
    "py": fenced(BOT, "py"),
    "python3": fenced(BOT, "python3"),
    "capitals": fenced(BOT, "Python"),
    "words after the language": fenced(BOT, "python title=bot.py"),
    "a space before the language": fenced(BOT, " python"),
    "tildes": fenced(BOT, mark="~~~"),
    "four backticks": fenced(BOT, mark="````"),
    "four backticks around three": fenced(BOT + "# ```\n", mark="````"),
    "never closed": f"Here:\n```python\n{BOT}",
    "closed behind the last line": f"```python\n{BOT.rstrip()}```\nGood luck"[:-10],
    "closed by more": f"```python\n{BOT}`````\n",
    "windows line ends": fenced(BOT).replace("\n", "\r\n"),
    "an indented fence": f"1. The bot:\n\n   ```python\n{INDENTED}   ```\n",
    "thoughts first": f"<think>\nMaybe\n{fenced(DRAFT)}\nno.\n</think>\n{fenced(BOT)}",
    "thinking first": f"<thinking>{fenced(DRAFT)}</thinking>{fenced(BOT)}",
    "thoughts within thoughts": f"<think><think>\n{fenced(DRAFT)}</think>\n{fenced(BOT)}",
    "thoughts in capitals": f"<THINK>\n{fenced(DRAFT)}</THINK>\n{fenced(BOT)}",
    "a shell block first": f"{fenced('pip install numpy', 'bash')}{fenced(BOT)}",
    "an example after": f"{fenced(BOT)}Then:\n{fenced(OTHER)}",
    "an example before": f"{fenced(OTHER)}Then:\n{fenced(BOT)}",
    "json beside": f"{fenced('{}', 'json')}{fenced(BOT)}{fenced('done', 'text')}",
    "an empty block first": f"{fenced('')}{fenced(BOT)}",
    "no fence at all": BOT,
    "bare with prose before": f"Here is the bot you wanted.\n\n{BOT}",
    "the fence language alone on an unknown block": f"{fenced('x', 'diff')}{fenced(BOT)}",
}  # fmt: skip


@pytest.mark.parametrize("shape", FOUND)
def test_the_bot_is_found(shape: str) -> None:
    found = extract(FOUND[shape])
    assert found is not None
    assert BOT.strip() in found
    assert "Draft" not in found
    assert "how to run" not in found
    compile(found, "bot", "exec")


def test_of_two_versions_the_last_is_taken() -> None:
    later = BOT.replace('"hi"', '"ho"')
    assert extract(f"A draft:\n{fenced(BOT)}\nNo, better:\n{fenced(later)}") == later


def test_the_longer_of_unequal_versions_is_taken() -> None:
    assert extract(f"{fenced(BOT)}\nor short:\n{fenced('def on_tick(ctx, tick): ...')}") == BOT


def test_a_docstring_belongs_to_a_bare_answer() -> None:
    source = f'"""A bot."""\n\n{BOT}'
    assert extract(f"Of course.\n{source}") == source


def test_thoughts_that_never_end_hide_no_bot_behind_them() -> None:
    found = extract(f"<think>let me see\n{fenced(BOT)}")
    assert found == BOT


@pytest.mark.parametrize(
    "answer",
    [
        "", " \n\t ", "I cannot do that.", "``` ```", "```python\n```", "```\n\n```", "```json\n{}\n```",
        "```bash\nrm -rf /\n```", "Use on_tick and NAME and SYMBOLS.", "<think>hm</think>", "<think>", "\0", "```",
        "~~~\n~~~",
    ],
)  # fmt: skip
def test_where_there_is_no_code_there_is_no_bot(answer: str) -> None:
    assert extract(answer) is None


@pytest.mark.parametrize("junk", ["\0", "\ud800", "\x1b[2J", "\u202e", "\ufeff", "`" * 10_000, "~" * 10_000])
def test_strange_characters_around_do_not_hide_the_bot(junk: str) -> None:
    found = extract(f"{junk}\n{fenced(BOT)}")
    assert found is not None
    assert "def on_tick" in found


@pytest.mark.parametrize(
    "answer",
    [
        "```\n" * 20_000, "<think>" * 20_000, "</think>" * 20_000, "~~~`" * 20_000, " " * 200_000,
        "```python\n" + "x" * 400_000, "`\n" * 100_000, "~~~\n```\n" * 20_000, "````\n```\n" * 20_000,
    ],
)  # fmt: skip
def test_no_answer_takes_long_to_read(answer: str) -> None:
    import time

    # CPU time of this thread: what takes long here takes minutes, and not because of the machine.
    started = time.thread_time()
    extract(answer)
    assert time.thread_time() - started < 20


def test_the_bots_of_recorded_answers_are_found() -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "completions"
    answers = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    if not answers:
        pytest.skip("the recorded answers are not present")
    for answer in answers:
        found = extract(answer["completion"])
        assert found is not None, answer["id"]
        assert "```" not in found, answer["id"]
        if answer["defect"] is None:
            compile(found, answer["id"], "exec")
            assert "def on_tick" in found, answer["id"]


# -- every wrapping, and several at once

WHOLE = (
    '"""A bot\'s words."""\n\nfrom collections import deque\n\nNAME = "X y"\nSYMBOLS = ["BTCUSDT"]\n'
    'prices = deque(maxlen=20)\n\n\ndef mean(values):\n    """Return the mean of them."""\n'
    "    return sum(values) / len(values)\n\n\ndef on_tick(ctx, tick):\n"
    '    price = ctx.get_price("BTCUSDT")\n    if price is None:\n        return\n    prices.append(price)\n\n'
    '    if len(prices) == 20 and price - 1 > mean(prices):\n        ctx.submit_order("BTCUSDT", "BUY", 0.01)\n'
)


def prefixed(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}\n" if line or prefix.strip() else "\n" for line in text.splitlines())


def session(source: str) -> str:
    return "".join(f"{'...' if line[:1] in {' ', ''} else '>>>'} {line}\n" for line in source.splitlines())


def diff_against(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "a/bot.py", "b/bot.py", lineterm="")
    return "\n".join(lines) + "\n"


NOTEBOOK = {
    "nbformat": 4,
    "cells": [
        {"cell_type": "markdown", "source": ["# The bot\n"]},
        {"cell_type": "code", "source": WHOLE.splitlines(keepends=True)},
    ],
}
INNER = {
    "plain": lambda s: s,
    "no-break spaces": lambda s: s.replace("    ", "\u00a0\u00a0\u00a0\u00a0"),
    "smart quotes": lambda s: re.sub(r'(?<!")"([^"\n]+)"(?!")', "\u201c\\1\u201d", s),
    "a typographic minus": lambda s: s.replace("price - 1", "price \u2212 1"),
    "zero-width characters": lambda s: s.replace("price", "pr\u200bice"),
}
CONTAINERS = {
    "python": fenced,
    "bot.py": lambda s: fenced(s, "bot.py"),
    "text": lambda s: fenced(s, "text"),
    "tildes": lambda s: fenced(s, "python", "~~~"),
    "four": lambda s: fenced(s, "python", "````"),
    "words on the fence's line": lambda s: fenced(s, "python Here is the whole file:"),
    "a fence behind words": lambda s: f"Here is the file: {fenced(s)}",
    "closed on the last line": lambda s: f"```python\n{s.rstrip()}```\n",
    "not closed": lambda s: f"```python\n{s}",
    "code tags": lambda s: f"<pre><code class='x'>{html.escape(s)}</code></pre>\n",
    "json": lambda s: json.dumps({"explanation": "It buys.", "code": s}) + "\n",
    "json in a fence": lambda s: fenced(json.dumps({"code": s}, indent=1), "json"),
    "bare, then prose": lambda s: f"{s}\nThis bot buys above its mean. Have fun!\n",
    "a session": lambda s: fenced(session(s)),
    "indented by four": lambda s: f"The bot:\n\n{prefixed(s, '    ')}\nThat is all.\n",
    "two blocks": lambda s: f"{fenced(s[: s.index('def mean')])}and then\n{fenced(s[s.index('def mean') :])}",
}
OUTER = {
    "nothing": lambda t: t,
    "prose": lambda t: f"Sure, here is your bot.\n\n{t}",
    "thoughts": lambda t: f"<think>\nI could write\n{fenced(DRAFT)}</think>\n{t}",
    "thoughts with a bare end": lambda t: f"First a draft:\n{fenced(DRAFT)}No.\n</think>\n{t}",
    "a mark of byte order": lambda t: f"\ufeff{t}",
    "windows line ends": lambda t: t.replace("\n", "\r\n"),
    "a quote": lambda t: prefixed(t, "> "),
    "a list": lambda t: f"1. The bot:\n\n{prefixed(t, '   ')}",
    "a draft before": lambda t: f"{fenced(DRAFT)}Better:\n\n{t}",
}


@given(
    st.sampled_from(sorted(INNER)),
    st.sampled_from(sorted(CONTAINERS)),
    st.lists(st.sampled_from(sorted(OUTER)), max_size=2),
)
@settings(max_examples=300, deadline=None)
def test_a_bot_comes_back_out_of_every_combination_of_wrappings(inner: str, container: str, outer: list[str]) -> None:
    answer = CONTAINERS[container](INNER[inner](WHOLE))
    for name in outer:
        answer = OUTER[name](answer)
    found = extract(answer)
    assert found is not None
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(WHOLE))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("outer", OUTER)
def test_a_bot_comes_back_out_of_each_pair_of_wrappings(container: str, outer: str) -> None:
    found = extract(OUTER[outer](CONTAINERS[container](WHOLE)))
    assert found is not None
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(WHOLE))


def test_a_notebook_is_read() -> None:
    assert extract(json.dumps(NOTEBOOK)) == WHOLE
    assert extract(fenced(json.dumps(NOTEBOOK, indent=1), "json")) == WHOLE


@pytest.mark.parametrize("language", ["diff", "", "python"])
def test_a_diff_is_applied_to_the_answer_before_it(language: str) -> None:
    new = WHOLE.replace("0.01", "0.02").replace("maxlen=20", "maxlen=30")
    patch = diff_against(WHOLE, new)
    assert extract_bot(f"Only this changes:\n{fenced(patch, language)}", WHOLE).source == new
    # The numbers of lines that models write are often wrong.
    assert extract_bot(fenced(re.sub(r"@@ .* @@", "@@ -1,1 +1,1 @@", patch), language), WHOLE).source == new


def test_a_diff_of_a_new_file_needs_none_before_it() -> None:
    assert extract(fenced(diff_against("", WHOLE), "diff")) == WHOLE


def test_a_fence_inside_a_docstring_does_not_end_the_block() -> None:
    source = WHOLE.replace("Return the mean of them.", "Return it:\n\n    ```\n    x\n    ```\n    ")
    assert extract(f"{fenced(source)}Have fun.") == source


@pytest.mark.parametrize(
    "test", ["import pytest\nfrom bot import *\n", "import unittest\n", "def test_it():\n    pass\n"]
)
def test_a_test_is_no_bot(test: str) -> None:
    assert extract(f"{fenced(WHOLE)}And its test:\n{fenced(test + WHOLE)}") == WHOLE


def test_a_stub_after_the_bot_does_not_win() -> None:
    assert extract(f"{fenced(WHOLE)}In short:\n{fenced(DRAFT)}") == WHOLE


@pytest.mark.parametrize(
    ("added", "left"),
    [
        ("import sys\n", ""), ("import os, sys\n", ""), ("from os import path\n", ""),
        ("import os, math\nx = math.pi\n", "import math\nx = math.pi"),
        ("import sys\nif __name__ == '__main__':\n    sys.exit(0)\n", ""),
    ],
)  # fmt: skip
def test_imports_that_nothing_needs_are_dropped_with_a_note(added: str, left: str) -> None:
    found = extract_bot(fenced(added + WHOLE))
    assert found.source is not None
    assert ast.dump(ast.parse(found.source)) == ast.dump(ast.parse(f"{left}\n{WHOLE}".replace('"""A', '"""A')))
    assert found.notes
    assert found.notes[0].startswith("Line 1: ")
    assert len(found.source.splitlines()) == len((added + WHOLE).splitlines())


def test_an_import_that_is_used_stays_for_the_checker_to_refuse() -> None:
    source = f"import sys\n{WHOLE}    sys.exit()\n"
    found = extract_bot(fenced(source))
    assert (found.source, found.notes) == (source, [])


def test_the_end_of_a_block_is_known() -> None:
    assert extract_bot(fenced(WHOLE)).closed
    assert not extract_bot(f"```python\n{WHOLE}").closed
    assert not extract_bot(WHOLE).closed


@pytest.mark.parametrize("place", range(WHOLE.index("def on_tick") + 25, len(WHOLE) - 1, 7))
def test_the_beginning_of_a_file_that_was_cut_off_is_no_other_bot(place: int) -> None:
    found = extract_bot(f"```python\n{WHOLE[:place]}")
    assert found.source is not None
    # Where a statement has just ended, nothing shows that it was cut.
    assert found.source.strip() == WHOLE[:place].strip()
    assert not found.closed
