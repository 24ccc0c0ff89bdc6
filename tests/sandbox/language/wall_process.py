"""Starts a program of this folder in a process of its own and reads the JSON it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ESCAPES = HERE.parent / "escapes"
# Classes are numbered before numpy is imported, as in a zygote.
_START = """
import runpy, sys
from sandbox.language import class_numbers
class_numbers.begin()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_apart(script: Path, *arguments: object, python: str = sys.executable) -> Any:
    paths = [ROOT, HERE, ESCAPES, ROOT / "tests"]
    environment = {
        "PATH": os.defpath, "PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }  # fmt: skip
    # An attack that succeeds where there is no wall may leave files behind.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, "-B", "-c", _START, str(script), *map(str, arguments)],
            capture_output=True, text=True, env=environment, timeout=280, check=False, cwd=folder,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
