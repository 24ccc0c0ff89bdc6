"""Models by name over HTTP and on the command line; a submission's answer while it is written."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from arena.cli.main import app
from arena.config import Settings, load
from arena.errors import SettingsError
from arena.llm.fake import FakeModelServer, Scripted
from tests.arenas import BUYER, PATIENCE, Running, bot_source, running, settings_for

KEY = "sk-key-of-the-named-model"


def written(name: str) -> str:
    return f"The bot:\n\n```python\n{bot_source(BUYER, name=name)}```\n"


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, FakeModelServer]]:
    folder = tmp_path_factory.mktemp("models")
    numbers = iter(range(1000))

    def script(request: dict[str, Any], _number: int) -> Scripted:
        pace = 0.0 if request["model"] == "model-of-a" else None
        return Scripted(written(f"By {request['model']} {next(numbers)}"), pace=pace)

    with pytest.MonkeyPatch.context() as patch, FakeModelServer(script) as model:
        patch.setenv("KEY_OF_A", KEY)
        models = {
            "a": {"model": "model-of-a", "base_url": model.base_url, "api_key_env": "KEY_OF_A", "price_in": 1.0,
                  "price_out": 2.0, "concurrency": 3, "context": 32_000},
            "b": {"model": "model-of-b", "base_url": model.base_url, "temperature": 0.5,
                  "parameters": {"top_p": 0.9}},
        }  # fmt: skip
        with running(settings_for(folder, models=models), folder) as arena:
            yield arena, model


def test_the_models_are_listed_without_their_keys(two_models: tuple[Running, FakeModelServer]) -> None:
    arena, model = two_models
    found = arena.get("/models")
    assert [(one["name"], one["model"], one["default"]) for one in found["items"]] == [
        ("a", "model-of-a", True), ("b", "model-of-b", False), ("template", None, False),
    ]  # fmt: skip
    first = found["items"][0]
    assert (first["price_in"], first["price_out"], first["concurrency"], first["context"]) == (1.0, 2.0, 3, 32_000)
    assert first["host"] == model.base_url.split("/")[2]
    assert KEY not in json.dumps(found)
    assert KEY not in json.dumps(arena.get("/status"))


def test_the_first_model_is_the_usual_one_and_each_is_asked_as_it_is_set(
    two_models: tuple[Running, FakeModelServer],
) -> None:
    arena, model = two_models
    model.requests.clear()
    model.headers.clear()
    by_a, by_b = arena.submit("a bot"), arena.submit("a bot", model="b")
    assert [by_a["status"], by_b["status"]] == ["admitted", "admitted"]
    counted = arena.client.get("/metrics").text
    for figure in ('arena_model_calls_total{model="a",outcome="answered"}', 'arena_model_call_seconds_count{model="b"}',
                   'arena_model_tokens_total{kind="prompt",model="a"}'):  # fmt: skip
        assert re.search(rf"^{re.escape(figure)} [1-9]", counted, re.MULTILINE), figure
    assert [request["model"] for request in model.requests] == ["model-of-a", "model-of-b"]
    assert [headers.get("authorization") for headers in model.headers] == [f"Bearer {KEY}", None]
    assert (model.requests[1]["temperature"], model.requests[1]["top_p"]) == (0.5, 0.9)
    assert by_a["attempts"][0]["cost_usd"] == pytest.approx((100 * 1.0 + 200 * 2.0) / 1e6)
    assert by_b["attempts"][0]["cost_usd"] is None


def test_a_model_that_is_not_there_is_refused_with_those_that_are(two_models: tuple[Running, FakeModelServer]) -> None:
    arena, _ = two_models
    answer = arena.api("POST", "/strategies", json={"prompt": "a bot", "models": ["a", "c"]})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "There is no model 'c' here; there are a, b, template."


def events_of(arena: Running, submission_id: str) -> list[tuple[str, dict[str, Any]]]:
    found, kind = [], ""
    with arena.client.stream("GET", f"/api/v1/strategies/{submission_id}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("event:"):
                kind = line[6:].strip()
            elif line.startswith("data:"):
                found.append((kind, json.loads(line[5:])))
    return found


@pytest.mark.system
@pytest.mark.parametrize("pace", [0.0, None], ids=["streams", "does not stream"])
def test_the_answer_is_told_while_it_is_written(tmp_path: Path, pace: float | None) -> None:
    free = threading.Event()
    text = written("Live")

    def script(_request: dict[str, Any], _number: int) -> Scripted:
        assert free.wait(PATIENCE)
        return Scripted(text, pace=pace)

    with FakeModelServer(script) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m")
        with running(settings, tmp_path) as arena:
            submission = arena.api("POST", "/strategies", json={"prompt": "a bot"}).json()["id"]
            found: list[tuple[str, dict[str, Any]]] = []
            listening = threading.Thread(target=lambda: found.extend(events_of(arena, submission)))
            listening.start()
            free.set()
            listening.join(PATIENCE)
            assert not listening.is_alive()
    shown = ""
    for kind, data in found:
        if kind == "text":
            assert (data["id"], data["attempt"]) == (submission, 1)
            assert data["offset"] <= len(shown)
            shown = shown[: data["offset"]] + data["text"]
    # Who comes after the answer has it in the submission itself.
    assert shown == text or found[0][1]["attempts"]
    kind, last = found[-1]
    assert (kind, last["status"], last["attempts"][0]["completion"]) == ("submission", "admitted", text)


# -- the command line


@pytest.mark.system
def test_models_are_listed_in_the_terminal(two_models: tuple[Running, FakeModelServer]) -> None:
    arena, _ = two_models
    shown = CliRunner().invoke(app, ["models", "--url", arena.url, "--json"])
    assert [one["name"] for one in json.loads(shown.stdout)["items"]] == ["a", "b", "template"]
    assert "model-of-b" in CliRunner().invoke(app, ["models", "--url", arena.url]).stdout


@pytest.mark.system
def test_a_submission_is_followed_with_the_model_s_words(two_models: tuple[Running, FakeModelServer]) -> None:
    arena, _ = two_models
    shown = CliRunner().invoke(app, ["submit", "a bot", "--follow", "--model", "a", "--url", arena.url])
    assert shown.exit_code == 0, shown.output
    assert "admitted  submission" in shown.stdout.replace("\n", " ")


@pytest.mark.system
def test_a_submission_is_cancelled_from_the_terminal(tmp_path: Path) -> None:
    with FakeModelServer(lambda *_: Scripted("x", hang=60.0)) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m")
        with running(settings, tmp_path) as arena:
            submission = arena.api("POST", "/strategies", json={"prompt": "a bot"}).json()["id"]
            shown = CliRunner().invoke(app, ["cancel", submission, "--url", arena.url])
            assert shown.exit_code == 0, shown.output
            assert shown.stdout.startswith("cancelled")


def test_the_doctor_asks_each_model_for_one_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(request: dict[str, Any], _number: int) -> Scripted:
        if request["model"] == "gone":
            return Scripted({"error": {"message": "model 'gone' not found, try pulling it first"}}, status=404)
        if "temperature" in request:
            return Scripted({"error": {"message": "temperature is not supported"}}, status=400)
        return Scripted("yes")

    monkeypatch.chdir(tmp_path)
    with FakeModelServer(script) as model:
        (tmp_path / "arena.toml").write_text(
            f'[models.good]\nmodel = "good"\nbase_url = "{model.base_url}"\n'
            f'[models.lost]\nmodel = "gone"\nbase_url = "{model.base_url}"\n'
        )
        shown = CliRunner().invoke(app, ["doctor", "--models", "--json"])
        assert shown.exit_code == 1
        good, lost = json.loads(shown.stdout)
        assert (good["name"], good["ok"], good["notes"]) == ("good", True, ["it takes no temperature."])
        assert (lost["name"], lost["ok"]) == ("lost", False)
        assert "try pulling it first" in lost["problem"]
        assert {request["max_tokens"] for request in model.requests} == {1}


# -- the settings


def test_models_are_read_from_the_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arena.toml").write_text('[models.a]\nmodel = "x"\napi_key_env = "MY_KEY"\n')
    (tmp_path / ".env").write_text("MY_KEY=from-the-file\n")
    found = load().models["a"]
    assert found.api_key.get_secret_value() == "from-the-file"
    assert "from-the-file" not in load().model_dump_json()
    monkeypatch.setenv("MY_KEY", "from-the-environment")
    assert load().models["a"].api_key.get_secret_value() == "from-the-environment"
    monkeypatch.setenv("MODELS__B__MODEL", "y")
    assert load().models["b"].model == "y"


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({"a": {}}, "models.a: set model"),
        ({"a b": {"model": "x"}}, "models.a b: a model's name"),
        ({"template": {"model": "x"}}, "not template"),
        ({"a": {"model": "x", "api_key_env": "NOT_SET_ANYWHERE"}}, "the environment has no NOT_SET_ANYWHERE"),
        ({"a": {"model": "x", "price_in": 1}}, "both price_in and price_out"),
        ({"a": {"model": "x", "modle": "y"}}, "MODELS__A__MODLE"),
        ({"a": {"model": "x", "concurrency": 0}}, "MODELS__A__CONCURRENCY"),
        ({"a": {"model": "x", "parameters": {"model": "y"}}}, "Arena sets it"),
    ],
)
def test_a_model_that_is_set_wrong_is_told(
    models: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        load(models=models)
    assert words in str(caught.value)


def test_the_environment_s_model_stays_the_short_way() -> None:
    from arena.llm.models import models_of

    models = models_of(Settings(_env_file=None, openai_model="m", openai_base_url="http://x/v1"))
    assert models.default == "m"
    assert models.find("m").server.base_url == "http://x/v1"
    # Any other name is a model of that server.
    assert models.find("n").model == "n"
    named = Settings(_env_file=None, models={"a": {"model": "x"}, "b": {"model": "y"}}, openai_model="b")
    assert models_of(named).default == "b"
    assert not models_of(named).knows("c")
