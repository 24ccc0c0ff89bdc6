"""Real answers of models through the real client, from a loopback server, into a running arena."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arena.llm.fake import FakeModelServer, Scripted
from tests.e2e.server import SHARED, Server


def completions() -> list[dict[str, Any]]:
    found = sorted((SHARED / "completions").glob("*.json"))
    if not found:
        pytest.skip("the recorded answers are not present")
    return [json.loads(path.read_text("utf-8")) for path in found]


@pytest.mark.long  # a server that takes every recorded answer; `test_completions` checks the same answers
def test_recorded_answers_become_bots_or_are_refused_with_line_and_reason(tmp_path: Path) -> None:
    answers = completions()
    by_prompt = {answer["prompt"]: answer for answer in answers}

    def script(request: dict[str, Any], _number: int) -> Scripted:
        asked = next(m["content"] for m in request["messages"] if m["role"] == "user")
        found = max((p for p in by_prompt if p in asked), key=len)
        return Scripted(by_prompt[found]["completion"])

    with FakeModelServer(script) as model:
        server = Server(
            tmp_path, OPENAI_BASE_URL=model.base_url, OPENAI_MODEL="recorded", OPENAI_API_KEY="canary-key",
            MAX_REPAIRS="1", ARENA_TOKEN="", BOTS_DIR=str(tmp_path), TICK_INTERVAL_SECONDS="0.1",
        )  # fmt: skip
        try:
            sent = {answer["id"]: _submit(server, answer) for answer in answers}
            for answer in answers:
                _judge(server, answer, sent[answer["id"]])
            server.wait_for(lambda: _working(server))
        finally:
            server.end()
        assert all("canary-key" not in json.dumps(request) for request in model.requests)


def _submit(server: Server, answer: dict[str, Any]) -> str:
    return str(server.post("/strategies", {"prompt": answer["prompt"], "name": answer["id"]})["id"])


def _judge(server: Server, answer: dict[str, Any], submission_id: str) -> None:
    def ended() -> dict[str, Any] | None:
        found = server.get(f"/strategies/{submission_id}")
        return found if found["status"] in {"admitted", "rejected", "failed"} else None

    submission = server.wait_for(ended)
    if answer["expect"] == "reject":
        assert submission["status"] == "rejected", answer["id"]
        assert submission["reason"].startswith("Line ")
        assert submission["attempts"][-1]["violations"]
    else:
        assert submission["status"] == "admitted", (answer["id"], submission["reason"])
        attempt = submission["attempts"][-1]
        assert attempt["model"] == "recorded"
        assert attempt["usage"] == {"prompt_tokens": 100, "completion_tokens": 200}


def _working(server: Server) -> bool:
    items = server.get("/leaderboard")["items"]
    assert not [item for item in items if item["status"] in {"quarantined", "failing"}]
    return sum(item["trades"] > 0 for item in items) >= 4
