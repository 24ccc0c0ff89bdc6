"""What a worker will write to is its own before it must have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A child that plays a start and two calls after the fork, and counts the pages it had to wait for.
SCRIPT = """
import gc, json, os, resource
from sandbox.language import class_numbers
class_numbers.begin()
from sandbox.process import zygote
from sandbox.process import kernel
from sandbox.process.child import serve
from sandbox.tuning.packing import fill_holes
from sandbox.tuning.plan import Tuning
from sandbox.tuning.prefault import copy_pages, find_written_pages
kit = zygote.prepare("arena.runtime.bot:BotRuntime", Tuning())
gc.collect(); fill_holes(); gc.freeze()
pages = find_written_pages(kit, kit.rehearsal)

def faults(ranges):
    down_read, down = os.pipe()
    up, up_write = os.pipe()
    if kernel.fork() == 0:
        os.dup2(down_read, 0), os.dup2(up_write, 1), os.close(down)
        copy_pages(ranges)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        serve(kit)
        count = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        os.write(1, b"|%d" % count)
        os._exit(0)
    os.close(up_write), os.close(down_read)
    os.write(down, b"".join(kit.rehearsal)), os.close(down)
    told = b""
    while more := os.read(up, 65536):
        told += more
    os.wait(), os.close(up)
    answers, _, count = told.rpartition(b"|")
    return answers.hex(), int(count)

nothing = len(find_written_pages(kit, []))
print(json.dumps({"told": len(pages), "without": faults(b""), "with": faults(pages), "nothing": nothing}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    head = f"import sys; sys.path[:0] = [{str(ROOT)!r}, *sys.argv[1:]]\n"
    done = subprocess.run(
        [sys.executable, "-s", "-P", "-c", head + SCRIPT, *sys.path],
        capture_output=True, text=True, timeout=240, check=False, cwd="/",
        env={"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.perf
@pytest.mark.skipif(
    tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (5, 14),
    reason="a kernel before 5.14 cannot copy pages ahead",
)
def test_a_start_an_order_and_a_fill_wait_for_few_pages(found: dict[str, list[int]]) -> None:
    assert found["without"][1] > 100
    assert found["with"][1] < found["without"][1] / 3


def test_the_answers_are_the_same(found: dict[str, list[str]]) -> None:
    assert found["with"][0] == found["without"][0] != ""


def test_where_there_is_no_rehearsal_nothing_is_foreseen(found: dict[str, object]) -> None:
    assert found["nothing"] == 0
    assert found["told"] != 0
