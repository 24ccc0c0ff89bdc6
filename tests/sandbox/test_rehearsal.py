"""What the zygote plays before it forks changes nothing that a bot can tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from sandbox.language import class_numbers
class_numbers.begin()
import numpy as np
limit = sys.getrecursionlimit()
from sandbox.process import zygote
from sandbox.tuning.plan import Tuning
from sandbox.tuning.rehearsal import warm_up_reader
kit = zygote.prepare("arena.runtime.bot:BotRuntime", Tuning())
if READS:
    warm_up_reader(kit)
services = kit.host._services
first = (services.rng.random(), float(np.random.random()))
services.seed(0)
services.imports("numpy")
print(json.dumps({
    "recursion": sys.getrecursionlimit() == limit,
    "clock": services.now, "armed": kit.tripwire._armed, "log": services.log.__name__,
    "chance": first == (services.rng.random(), float(np.random.random())),
    "namespace": sorted(name for name in kit.namespace if name[0] not in "@_"),
    "account": kit.guest._account.cash,
    "numbered": __import__("sandbox.language.bot_classes", fromlist=["PRINTED"]).PRINTED._last,
}))
"""


@pytest.fixture(scope="module", params=[False, True], ids=["zygote", "reader"])
def after(request: pytest.FixtureRequest) -> dict[str, object]:
    head = f"import sys; sys.path[:0] = [{str(ROOT)!r}, *sys.argv[1:]]\nREADS = {request.param}\n"
    done = subprocess.run(
        [sys.executable, "-s", "-P", "-B", "-c", head + SCRIPT, *sys.path],
        capture_output=True, text=True, timeout=240, check=False, cwd="/",
        env={"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(("what", "expected"), [
    ("recursion", True), ("clock", 0.0), ("armed", False), ("log", "_nowhere"), ("chance", True),
    ("namespace", []), ("account", 0.0), ("numbered", 0),
])  # fmt: skip
def test_a_rehearsal_leaves_nothing_behind(after: dict[str, object], what: str, expected: object) -> None:
    assert after[what] == expected
