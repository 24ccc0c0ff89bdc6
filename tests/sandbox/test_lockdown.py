"""Every required layer is required: break any one of them, and no bot runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.process import lockdown

ROOT = Path(__file__).resolve().parents[2]
PREFIX = f"import sys; sys.path[:0] = [{str(ROOT)!r}, *sys.argv[1:]]; "
# Of our own version, because it is given our packages.
DISTRO_PYTHON = Path(f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}")
NOBODY = 65534


def run_broken(python: str, **options: object) -> dict[str, str]:
    script = "import json; from tests.sandbox.broken_lockdowns import cases; print(json.dumps(cases()))"
    done = subprocess.run(
        [python, "-s", "-P", "-B", "-c", PREFIX + script, *sys.path],
        capture_output=True, text=True, timeout=240, check=False, cwd="/",
        env={"LANG": "C.UTF-8"}, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    return run_broken(sys.executable)


@pytest.fixture(scope="module")
def said_to_nobody() -> dict[str, str]:
    if os.geteuid() != 0:
        pytest.skip("already an ordinary user")
    if not DISTRO_PYTHON.exists():
        pytest.skip("no Python that another user may read")
    return run_broken(str(DISTRO_PYTHON), user=NOBODY, group=NOBODY, extra_groups=[])


def test_a_whole_lock_down_holds_and_says_its_layers(said: dict[str, str]) -> None:
    level, layers, *_ = said["whole"].split(" ")
    assert level in {"A", "B"}
    needed = {"rlimits", "undumpable", "clocks", "no-new-privs", "descriptors", "seccomp", "proved"}
    assert needed <= set(layers.split(","))


@pytest.mark.parametrize("kind", ["os error", "lockdown error"])
@pytest.mark.parametrize("step", [step.__name__ for step in lockdown.STEPS])
def test_a_step_that_fails_ends_the_child(said: dict[str, str], step: str, kind: str) -> None:
    assert said[f"{kind} in {step}"].startswith("refused: ")


def test_a_missing_filter_is_noticed_by_trying(said: dict[str, str]) -> None:
    assert said["without filter_calls"] == "refused: the system call filter does not hold"


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("seccomp refused", "does not allow seccomp filters"),
        ("dumpable refused", "cannot hide"),
        ("pdeathsig refused", "cannot die with parent"),
        ("no new privs refused", "cannot refuse privileges"),
        ("rlimits refused", "cannot limit resources"),
        ("unknown machine", "no system call filter is known"),
    ],
)
def test_a_kernel_that_refuses_a_required_layer_ends_the_child(said: dict[str, str], case: str, sentence: str) -> None:
    assert said[case].startswith("refused: ")
    assert sentence in said[case]


def test_a_kernel_without_landlock_lowers_the_level(said: dict[str, str]) -> None:
    level, layers, note = said["no landlock"].split(" ", 2)
    assert (level, note) == ("B", "no Landlock in this kernel")
    assert "landlock" not in layers


def test_a_kernel_that_refuses_landlock_lowers_the_level(said: dict[str, str]) -> None:
    if "landlock" not in said["whole"]:
        pytest.skip("no Landlock in this kernel")
    level, layers, note = said["landlock refused"].split(" ", 2)
    assert level == "B"
    assert "landlock" not in layers
    assert "Landlock" in note


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root changes its uid")
def test_root_that_cannot_drop_its_uid_refuses(said: dict[str, str]) -> None:
    assert said["uid refused"].startswith("refused: cannot separate")


def test_an_ordinary_user_without_namespaces_runs_at_level_b(
    said_to_nobody: dict[str, str],
) -> None:
    level, layers, note = said_to_nobody["namespaces refused"].split(" ", 2)
    assert level == "B"
    assert "seccomp" in layers
    assert note.startswith("no namespaces of its own")


def test_an_ordinary_user_gets_every_required_layer(said_to_nobody: dict[str, str]) -> None:
    assert {"rlimits", "seccomp", "proved"} <= set(said_to_nobody["whole"].split(" ")[1].split(","))


@pytest.mark.parametrize("step", [step.__name__ for step in lockdown.STEPS])
def test_a_step_that_fails_ends_an_ordinary_user_s_child_too(said_to_nobody: dict[str, str], step: str) -> None:
    assert said_to_nobody[f"os error in {step}"].startswith("refused: ")
