"""Finding the bot in an answer of any shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arena.submissions.extract import extract

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

    started = time.process_time()
    extract(answer)
    assert time.process_time() - started < 5


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
