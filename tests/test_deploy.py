"""The files of deploy/ fit the server: figures, settings, routes and paths that they name are there."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from arena.config import Settings
from tests.arenas import Running

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
SETTINGS = {name.upper() for name in Settings.model_fields}


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [*panels, *(rule["expr"] for rule in rules())]


def test_every_figure_that_a_panel_or_a_rule_names_is_served(live: Running) -> None:
    text = live.client.get("/metrics").text
    families = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    served = {
        name + suffix
        for name, kind in families
        for suffix in (("_bucket", "_count", "_sum") if kind == "histogram" else ("",))
    }
    assert "arena_tick_duration_seconds_bucket" in served
    for expression in expressions():
        plain = re.sub(r'"[^"]*"', '""', expression)
        named = re.findall(r"\b(?:arena|process)_\w+", plain)
        assert named or plain.startswith("up{"), expression
        assert [name for name in named if name not in served] == [], expression


def test_every_label_that_a_panel_or_a_rule_names_is_one(live: Running) -> None:
    text = live.client.get("/metrics").text
    known = set(re.findall(r'[{,](\w+)="', text)) | {"job", "instance", "feed", "symbol", "model", "outcome", "kind"}
    for expression in expressions():
        selected = re.findall(r"(\w+)=~?\"", expression)
        grouped = [
            name for group in re.findall(r"\b(?:by|on) ?\(([\w, ]+)\)", expression) for name in group.split(", ")
        ]
        assert [name for name in (*selected, *grouped) if name not in known] == [], expression


def test_every_rule_says_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"].endswith(".")


def test_panels_have_places_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


# -- containers


def test_the_services_are_locked_in_as_far_as_the_sandbox_allows() -> None:
    arena = COMPOSE["services"]["arena"]
    assert arena["read_only"] is True
    assert arena["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in arena["security_opt"]
    assert arena["ports"] == ["127.0.0.1:8000:8000"]
    assert arena["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "ports" not in COMPOSE["services"]["postgres"]
    mounted = {volume.partition(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert mounted == set(COMPOSE["volumes"])
    # A secret without which it would be open has no default.
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    for secret in ("ARENA_TOKEN", "POSTGRES_PASSWORD"):
        assert re.findall(rf"\$\{{{secret}(:.)", text) == [":?"] * text.count(f"${{{secret}")


def test_what_the_files_set_are_settings() -> None:
    assert set(COMPOSE["services"]["arena"]["environment"]) <= SETTINGS
    (line,) = re.findall(r"^ENV (PATH=.*)$", DOCKERFILE, re.MULTILINE)
    named = {word.partition("=")[0] for word in line.split()}
    assert {"HOST", "PORT", "LOG_FORMAT"} <= named
    assert named - {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"} <= SETTINGS


def test_what_the_image_is_built_from_is_there() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), source
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".env", "*.key", "*.db", ".git"} <= set(ignored)
    assert not {"arena", "sandbox", "bots", "prompts", "deploy"} & set(ignored)


def test_the_image_runs_as_nobody_and_is_asked_for_its_health(live: Running) -> None:
    users = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert users
    assert all(int(part) > 0 for part in users[-1])
    (path,) = re.findall(r"^HEALTHCHECK .*\}(/\w+)", DOCKERFILE, re.MULTILINE)
    assert live.client.get(path).status_code == 200


@pytest.mark.system
def test_the_entry_proves_the_sandbox_and_runs_the_command() -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for words in (["version"], ["serve", "--help"]):
        done = subprocess.run(
            [str(DEPLOY / "entry.sh"), *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


# -- systemd and proxies


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = (DEPLOY / "arena.service").read_text("utf-8")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read_string(text)
    service = unit["Service"]
    assert (service["Type"], service["NotifyAccess"], service["KillMode"]) == ("notify", "main", "mixed")
    assert service["OOMPolicy"] == "continue"
    assert not {"MemoryDenyWriteExecute", "ProtectProc", "ProcSubset"} & set(service)
    assert set(service["RestrictNamespaces"].split()) == {"user", "net", "ipc", "uts"}
    named = dict(word.split("=") for word in service["Environment"].split())
    assert set(named) - {"PYTHONDONTWRITEBYTECODE"} <= SETTINGS
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / "arena.service"
    copy.write_text(text.replace("/opt/arena/.venv/bin/arena", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_live_stream_is_passed_on_at_once(live: Running) -> None:
    nginx = (DEPLOY / "nginx.conf").read_text("utf-8")
    (pattern,) = re.findall(r"location ~ (\S+) \{[^}]*proxy_buffering off;", nginx)
    streams = [
        path
        for path, methods in live.client.get("/openapi.json").json()["paths"].items()
        for operation in methods.values()
        if "text/event-stream" in operation["responses"].get("200", {}).get("content", {})
    ]
    assert len(streams) >= 3
    assert [path for path in streams if not re.search(pattern, path)] == []
    assert "flush_interval -1" in (DEPLOY / "Caddyfile").read_text("utf-8")


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_a_proxy_says_who_asks_and_keeps_the_figures_to_itself(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    assert "/metrics" in text
    for header in ("X-Forwarded-For", "X-Request-ID", "Strict-Transport-Security"):
        assert header in text, header
