"""The examination finds a sound host sound, a crippled one crippled, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import doctor
from sandbox.doctor import Findings, examine
from sandbox.doctor.attempts import LAYERS

ROOT = Path(__file__).resolve().parents[2]
# Of our own version, because it is given our packages.
DISTRO_PYTHON = Path(f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}")
NOBODY = 65534
SCRIPT = "import json, sys; sys.path[:0] = sys.argv[1].split(':'); from sandbox.doctor import examine; "


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the examination makes its temporary files; nobody else does."""
    with tempfile.TemporaryDirectory(prefix="arena-examined-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(scope="module")
def findings(folder: Path) -> Findings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARENA_CANARY", "the-secret-of-this-server")
        patch.setattr(doctor, "_ENVIRONMENT", {**doctor._ENVIRONMENT, "TMPDIR": str(folder)})
        return examine(explain=True)


def examine_elsewhere(python: str, before: str = "pass", **options: Any) -> dict[str, Any]:
    code = f"{SCRIPT}{before}; print(json.dumps(examine().as_dict()))"
    paths = ":".join([str(ROOT), *(path for path in sys.path if "site-packages" in path)])
    done = subprocess.run(
        [python, "-s", "-P", "-B", "-c", code, paths],
        capture_output=True, text=True, timeout=240, check=False, cwd="/",
        env={"LANG": "C.UTF-8"}, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.system
def test_no_act_is_open(findings: Findings) -> None:
    assert [row.act for row in findings.acts if row.verdict == "OPEN"] == []
    assert findings.level in {"A", "B"}


def test_at_least_thirty_five_acts_are_proved_against_a_control(findings: Findings) -> None:
    proved = [row for row in findings.acts if row.verdict == "stopped"]
    assert len(proved) >= 35
    assert {row.unlocked for row in proved} == {"worked"}


def test_what_fails_without_a_wall_too_proves_nothing(findings: Findings) -> None:
    for row in findings.acts:
        if row.unlocked != "worked":
            assert row.verdict == "not provable here"


@pytest.mark.system
def test_a_legal_bot_trades(findings: Findings) -> None:
    assert findings.acts[-1].act == "a legal bot trades"
    assert findings.acts[-1].verdict == "works"


def test_every_stopped_act_is_credited_to_a_layer(findings: Findings) -> None:
    credits_ = {row.act: row.layer for row in findings.acts if row.verdict == "stopped"}
    lonely = {"run os.system in a worker", "run the C library's system in a worker",
              "find a secret of the server's environment", "read a descriptor of the server"}  # fmt: skip
    assert {act for act, layer in credits_.items() if not layer} <= lonely
    assert {name for layer in credits_.values() for name in layer.split(", ") if name} <= set(LAYERS)
    assert credits_["allocate 600 MB"] == "rlimits"
    assert "seccomp" in credits_["run a program"]


@pytest.mark.system
def test_the_findings_are_plain_json_without_secrets(findings: Findings) -> None:
    told = json.dumps(findings.as_dict())
    assert "the-secret-of-this-server" not in told
    assert set(findings.as_dict()) == {"level", "layers", "notes", "seconds", "acts"}
    assert set(findings.as_dict()["acts"][0]) == {"act", "unlocked", "locked", "verdict", "layer"}


def test_nothing_stays_behind(findings: Findings, folder: Path) -> None:
    assert findings.acts
    assert list(folder.iterdir()) == []


@pytest.mark.system
def test_without_seccomp_no_bot_runs_and_the_note_says_so() -> None:
    before = "from tests.sandbox.broken_lockdowns import refuse_call, _PRCTL; refuse_call(_PRCTL, 22)()"
    found = examine_elsewhere(sys.executable, before)
    assert found["level"] == "none"
    assert found["layers"] == []
    assert any("does not allow seccomp filters" in note for note in found["notes"])


@pytest.mark.system
def test_without_landlock_the_level_is_b() -> None:
    before = "from tests.sandbox.broken_lockdowns import refuse_call; refuse_call(444)()"
    found = examine_elsewhere(sys.executable, before)
    assert found["level"] == "B"
    assert "no Landlock in this kernel" in found["notes"]
    assert all(row["verdict"] != "OPEN" for row in found["acts"])


def test_a_system_that_is_not_linux_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    found = examine()
    assert (found.level, found.acts) == ("none", ())
    assert "Linux only" in found.notes[0]


def test_an_examination_that_cannot_start_means_no_bots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    found = examine()
    assert found.level == "none"
    assert "cannot start the examination" in found.notes[0]


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
@pytest.mark.skipif(not DISTRO_PYTHON.exists(), reason="no Python that another user may read")
def test_an_ordinary_user_s_host_is_examined_as_well() -> None:
    found = examine_elsewhere(str(DISTRO_PYTHON), user=NOBODY, group=NOBODY, extra_groups=[])
    assert found["level"] in {"A", "B"}
    verdicts = [row["verdict"] for row in found["acts"]]
    assert "OPEN" not in verdicts
    assert verdicts.count("stopped") >= 35
