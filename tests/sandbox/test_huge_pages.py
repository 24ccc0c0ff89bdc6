"""The interpreter's code on huge pages: it runs on, and can be written to no more than before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
MOVED = """
import json, re, sys
from sandbox.tuning import huge_pages
moved = huge_pages.move_code()
import ctypes, decimal, sqlite3, statistics  # much of the interpreter runs from where it now is
code = ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value
found = {}
for line in open("/proc/self/smaps"):
    span = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\\S+)", line)
    if span:
        inside = int(span[1], 16) <= code < int(span[2], 16)
        if inside:
            found["access"] = span[3]
    elif inside and line.startswith("AnonHugePages"):
        found["huge"] = int(line.split()[1])
print(json.dumps({"moved": moved, "sum": sum(range(10**5)), **found}))
"""


def test_code_on_huge_pages_runs_and_is_not_writable() -> None:
    if not SETTING.exists() or "[never]" in SETTING.read_text():
        pytest.skip("the kernel here gives no huge pages")
    done = subprocess.run([sys.executable, "-c", MOVED], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["access"] == "r-xp"
    assert told["sum"] == sum(range(10**5))
    assert not told["moved"] or told["huge"] > 0


def test_without_huge_pages_all_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sandbox.tuning import huge_pages

    (tmp_path / "enabled").write_text("always madvise [never]\n")
    monkeypatch.setattr(huge_pages, "_SETTINGS", tmp_path)
    assert huge_pages.move_code() is False
