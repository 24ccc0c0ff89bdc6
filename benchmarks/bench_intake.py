"""How many recorded answers of models become bots at once, after one repair, after two, and what does a bot cost?

The loopback model answers a number of times with a file that breaks a rule before it gives the recorded answer.
Tokens are a guess from the lengths, as for any server that tells none; the seconds are the arena's own, since the
loopback model takes no time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Any

from arena.llm.fake import FakeModelServer, Scripted
from tests.arenas import Running, bot_source, running, settings_for

_ANSWERS = Path(__file__).resolve().parents[2] / "shared" / "completions"
_BAD = ("os.getcwd()", "open('notes.txt')", "raise ValueError('no history')")


class Recorded:
    """A model that gives the recorded answer to a prompt after so many bad ones."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self._answers = {answer["prompt"]: answer["completion"] for answer in answers}
        self.bad_first = 0

    def __call__(self, request: dict[str, Any], number: int) -> Scripted:
        """Return a bad answer while some are left, then the recorded one."""
        asked = request["messages"][1]["content"]
        prompt = max((p for p in self._answers if p in asked), key=len)
        repaired = len(request["messages"]) > 2
        said = request["messages"][2]["content"] if repaired else ""
        given = int(said.split("# attempt ")[1].split()[0]) if "# attempt " in said else 0
        if given < self.bad_first and (repaired or request.get("temperature") != 0.8):
            source = bot_source(_BAD[given % len(_BAD)], top=f"import os\n# attempt {given + 1} {number}")
            return _told(f"```python\n{source}```\n")
        return _told(self._answers[prompt])


def _told(text: str) -> Scripted:
    message = {"role": "assistant", "content": text}
    return Scripted({"model": "recorded", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


def played(arena: Running, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Hand every prompt in and return how each ended."""
    ids = []
    for answer in answers:
        body = {"prompt": answer["prompt"], "name": answer["id"], "author": f"Author {len(ids) % 5}"}
        taken = arena.api("POST", "/strategies", json=body)
        assert taken.status_code == 202, taken.text
        ids.append(taken.json()["id"])
    return [arena.ended(one) for one in ids]


def figures(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what came out of one way of answering."""
    admitted = [one for one in done if one["status"] == "admitted"]
    attempts = [attempt for one in done for attempt in one["attempts"]]
    last = Counter(one["attempts"][-1]["kind"] for one in admitted)
    repairs = Counter(len(one["attempts"]) - 1 for one in admitted if one["attempts"][-1]["kind"] == "repair")
    refused = Counter(one["attempts"][-1]["violations"][0]["rule"] for one in done if one["status"] == "rejected")
    tokens = sum(sum(attempt["usage"].values()) for attempt in attempts)
    return {
        "prompts": len(done), "admitted": len(admitted), "at_first": last["first"],
        "after_1": repairs[1], "after_2": repairs[2], "afresh": last["fresh"],
        "rejected": sum(refused.values()), "refused_by_rule": dict(refused),
        "failed": sum(one["status"] == "failed" for one in done),
        "tokens_per_admitted": round(tokens / max(1, len(admitted))),
        "seconds_per_admitted": round(mean(one["updated_at"] - one["created_at"] for one in admitted), 2),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    answers = [json.loads(path.read_text("utf-8")) for path in sorted(_ANSWERS.glob("*.json"))]
    model = Recorded(answers)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, FakeModelServer(model) as server:
        folder = Path(name)
        with running(settings_for(folder, openai_base_url=server.base_url, openai_model="recorded"), folder) as arena:
            for model.bad_first in range(3):
                found[f"{model.bad_first} bad answers first"] = figures(played(arena, answers))
    print(json.dumps({"rows": found}, indent=2))
    if told.json:
        told.json.write_text(json.dumps({"rows": found}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
