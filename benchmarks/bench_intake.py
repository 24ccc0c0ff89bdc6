"""How many recorded answers of models become bots at once, after one repair, after two, and what does a bot cost?

The loopback model gives the recorded answer to each prompt, at once or after a number of answers that break a rule;
then, for a few of the prompts, after one answer with each of the faults that models have. The strategies are handed
in one after another, so that the seconds are those of one; they are the arena's own, since the loopback model takes
no time. Tokens are a guess from the lengths, as for any server that tells none.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from arena.llm import faults
from arena.llm.fake import FakeModelServer, Scripted
from benchmarks.telling import write
from tests.arenas import Running, bot_source, running, settings_for

_ANSWERS = Path(__file__).resolve().parents[2] / "shared" / "completions"
_BAD = ("os.getcwd()", "open('notes.txt')", "raise ValueError('no history')")
_BUY = 'ctx.submit_order("{}", "BUY", 0.001)'
Shape = Callable[[str], Scripted]


def _bot(body: str, **more: str) -> Scripted:
    return _told(f"```python\n{bot_source(body, **more)}```\n")


# What a model does wrong once before it gives the recorded answer.
FAULTS: dict[str, Shape] = {
    "prose without code": lambda _: _told("I would buy low and sell high."),
    "a refusal": lambda _: faults.message(content=None, refusal="I cannot give financial advice."),
    "nothing at all": lambda _: faults.message(content=None),
    "cut off at the length": lambda text: faults.message("length", content=text[: len(text) // 2]),
    "a broken line": lambda _: _bot("if True"),
    "a forbidden import": lambda _: _bot("os.getcwd()", top="import os"),
    "raises at each tick": lambda _: _bot("raise ValueError('no history')"),
    "never trades": lambda _: _bot(f"if tick['prices']['BTCUSDT'] < 0:\n    {_BUY.format('BTCUSDT')}"),
    "an unknown symbol": lambda _: _bot(_BUY.format("BTC/USD"), symbols='["BTC/USD"]'),
    "a side that is none": lambda _: _bot(_BUY.format("BTCUSDT").replace("BUY", "buy")),
    "loops for ever": lambda _: _bot("while True:\n    pass"),
    "the server fails once": lambda _: Scripted({"error": "busy"}, status=503, headers={"retry-after-ms": "1"}),
    "the answer breaks off once": lambda text: Scripted(text, cut=40),
}


class Recorded:
    """A model that gives the recorded answer to a prompt, after so many bad ones or after one with a fault."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self._answers = {answer["prompt"]: answer["completion"] for answer in answers}
        self._begun: set[tuple[str, str]] = set()
        self.bad_first = 0
        self.fault = ""

    def __call__(self, request: dict[str, Any], number: int) -> Scripted:
        """Return a bad answer while some are left, then the recorded one."""
        asked = request["messages"][1]["content"]
        prompt = max((p for p in self._answers if p in asked), key=len)
        recorded = self._answers[prompt]
        if self.fault and (self.fault, prompt) not in self._begun:
            self._begun.add((self.fault, prompt))
            return FAULTS[self.fault](recorded)
        repaired = len(request["messages"]) > 2
        said = request["messages"][2]["content"] if repaired else ""
        given = int(said.split("# attempt ")[1].split()[0]) if "# attempt " in said else 0
        if given < self.bad_first and (repaired or request.get("temperature") != 0.8):
            return _bot(_BAD[given % len(_BAD)], top=f"import os\n# attempt {given + 1} {number}")
        return _told(recorded)


def _told(text: str) -> Scripted:
    message = {"role": "assistant", "content": text}
    return Scripted({"model": "recorded", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


def played(arena: Running, answers: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Hand the prompts in one after another and return how each ended, with the defect that is known of its answer."""
    return [
        {**arena.submit(answer["prompt"], name=f"{answer['id']} {key}"[:40]), "defect": answer["defect"]}
        for answer in answers
    ]


def figures(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what came out of one way of answering."""
    admitted = [one for one in done if one["status"] == "admitted"]
    attempts = [attempt for one in done for attempt in one["attempts"]]
    last = Counter(one["attempts"][-1]["kind"] for one in admitted)
    repairs = Counter(len(one["attempts"]) - 1 for one in admitted if one["attempts"][-1]["kind"] == "repair")
    rejected = [one for one in done if one["status"] == "rejected"]
    refused = Counter(one["attempts"][-1]["violations"][0]["rule"] for one in rejected)
    tokens = sum(sum(attempt["usage"].values()) for attempt in attempts)
    return {
        "prompts": len(done), "admitted": len(admitted), "at_first": last["first"],
        "after_1": repairs[1], "after_2": repairs[2], "afresh": last["fresh"], "continued": last["continue"],
        "rejected": len(rejected), "refused_by_rule": dict(refused),
        "refused_sound": sum(one["defect"] is None for one in rejected),
        "failed": sum(one["status"] == "failed" for one in done),
        "tokens_per_admitted": round(tokens / max(1, len(admitted))),
        "seconds_per_admitted": round(mean([one["updated_at"] - one["created_at"] for one in admitted] or [0.0]), 2),
    }  # fmt: skip


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a table in Markdown."""
    names = {
        "prompts": "prompts", "at_first": "at first", "after_1": "after 1 repair", "after_2": "after 2",
        "afresh": "afresh", "continued": "continued", "failed": "failed",
        "tokens_per_admitted": "tokens a bot", "seconds_per_admitted": "seconds a bot",
    }  # fmt: skip
    lines = [f"| The model gives | {' | '.join(names.values())} | refused by |", "|---" * (len(names) + 2) + "|"]
    for what, row in found.items():
        causes = ", ".join(f"{rule} {count}" for rule, count in row["refused_by_rule"].items())
        lines.append(f"| {what} | {' | '.join(str(row[name]) for name in names)} | {causes} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=None, help="take the first so many prompts only")
    parser.add_argument("--spoilt", type=int, default=3, help="prompts for each fault")
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    answers = [json.loads(path.read_text("utf-8")) for path in sorted(_ANSWERS.glob("*.json"))][: told.prompts]
    if not answers:
        parser.exit(0, f"Nothing to measure: there are no recorded answers in {_ANSWERS.name}.\n")
    model = Recorded(answers)
    sound = [answer for answer in answers if answer["defect"] is None][: told.spoilt]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, FakeModelServer(model) as server:
        folder = Path(name)
        settings = settings_for(
            folder, openai_base_url=server.base_url, openai_model="recorded", tick_interval_seconds=1.0
        )
        with running(settings, folder) as arena:
            for model.bad_first in range(3):
                key = f"{model.bad_first} bad answers first"
                found[key] = figures(played(arena, answers, key))
            model.bad_first = 0
            for model.fault in FAULTS:
                key = f"first: {model.fault}"
                found[key] = figures(played(arena, sound, key))
    print(table(found))
    write({"rows": found}, told.json)


if __name__ == "__main__":
    main()
