"""The cyclic collector stays out of a tick, and out of what a start has made.

Each check is a process of its own: the collector is one for a process, and the engines of other tests pause it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
import gc
from arena.engine.live import garbage

begun = []
gc.callbacks.append(lambda phase, info: begun.append(info["generation"]) if phase == "start" else None)

def much_garbage():
    for _ in range(10 * gc.get_threshold()[0]):
        loop = []
        loop.append(loop)
"""


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", HEAD + code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_is_collected_while_it_rests_and_all_of_it_afterwards() -> None:
    run("""
with garbage.gc_paused():
    begun.clear()
    much_garbage()
    assert begun == []
much_garbage()
assert begun
assert gc.isenabled()
""")


def test_it_goes_on_after_a_fault() -> None:
    run("""
try:
    with garbage.gc_paused():
        raise KeyError
except KeyError:
    assert gc.isenabled()
else:
    raise AssertionError
""")


def test_what_is_kept_for_good_is_not_looked_at_again() -> None:
    run("""
kept = [[] for _ in range(1000)]
before = gc.get_freeze_count()
garbage.keep_for_good()
assert gc.get_freeze_count() > before + len(kept)
""")
