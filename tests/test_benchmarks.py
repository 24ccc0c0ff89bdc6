"""The page on performance says what was measured, and names every goal."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import machine, report
from benchmarks.bench_peers import PEERS, _why
from benchmarks.goals import Goal, goal_row, number, pick
from benchmarks.questions import QUESTIONS
from benchmarks.run import BENCHES

ROOT = Path(__file__).resolve().parent.parent
FACTS = {
    "cpu": "Some CPU", "cpus": 2, "virtual": True, "memory_gib": 4.0, "kernel": "Linux 6.1", "python": "CPython 3.11.7",
}  # fmt: skip


def bench(figures: Any = None, **changes: Any) -> dict[str, Any]:
    found = {"failed": "it ended with exit code 1."} if figures is None else {"figures": figures}
    told = {"day": "2026-01-02", "quick": False, "seconds": 10.0, "load_at_start": 0.1, "load_at_end": 1.5}
    return {**told, "others_cpus": 0.02, "stolen_cpus": 0.01, **found, **changes}


def results(**benches: dict[str, Any]) -> dict[str, Any]:
    return {"arena": "1.2.3", "machine": FACTS, "benches": benches}


PEERS_FIGURES = {
    "fills_apart": 0,
    "engines": {
        "arena": {"bars": 9, "fills": 4, "whole_s": 0.5, "whole_s_range": [0.4, 0.6], "whole_events_per_second": 18},
        "backtesting": {"bars": 9, "fills": 4, "whole_events_per_second": 3, "arena_is_whole_times": 6.0},
        "nautilus_trader": {"missing": "No matching distribution found for nautilus_trader==1.221.0."},
    },
}
REPLAY_FIGURES = {
    "one": {"whole_ratio": 0.55, "whole_ratio_range": [0.5, 0.61], "arena_process_s": 2.0, "plain_process_s": 1.1},
    "many": [{"bots": 2, "ratio": 0.7}],
}


def line(page: str, words: str) -> str:
    """Return the only row of a table that has these words in its first cell."""
    (found,) = [row for row in page.splitlines() if row.startswith(f"| {words}")]
    return found


def test_every_goal_is_named_even_where_nothing_was_measured() -> None:
    page = report.page(results())
    for question in QUESTIONS:
        assert f"## {question.title}\n" in page
        for goal in question.goals:
            assert line(page, f"{goal.words} |").endswith("| not measured |")


def test_a_goal_that_was_missed_says_so_with_its_baseline_and_its_spread() -> None:
    row = line(report.page(results(replay=bench(REPLAY_FIGURES))), "one bot, 500,000 ticks")
    assert row.split(" | ")[1:] == ["≥ 0.6x", "0.55x (0.5 to 0.61)", "2 s against 1.1 s", "**missed** |"]


def test_a_goal_that_is_just_reached_is_met() -> None:
    assert line(report.page(results(replay=bench(REPLAY_FIGURES))), "2 bots").endswith("| met |")


def test_an_upper_bound_is_kept_from_below() -> None:
    goal = Goal("memory", "kib", " MiB", 2.0, at_most=True, scale=1 / 1024)
    assert [goal_row(goal, {"kib": kib})[2:] for kib in (2048, 3072)] == [
        ("2 MiB", "-", "met"), ("3 MiB", "-", "**missed**"),
    ]  # fmt: skip


def test_a_quick_run_decides_nothing() -> None:
    page = report.page(results(replay=bench(REPLAY_FIGURES, quick=True)))
    assert line(page, "one bot, 500,000 ticks").endswith("| quick run |")
    assert "**Some of it is a quick run" in " ".join(page.split())


def test_a_benchmark_that_failed_is_told_with_its_reason() -> None:
    assert "Not measured: it ended with exit code 1." in report.page(results(board=bench()))


def test_an_engine_that_cannot_be_installed_has_a_row_that_says_why() -> None:
    page = report.page(results(peers=bench(PEERS_FIGURES)))
    assert line(page, "nautilus_trader (not here: No matching distribution found")
    assert line(page, "against backtesting.py").endswith("| met |")
    assert line(page, "against nautilus_trader").endswith("| not measured |")
    assert "| 0.4 to 0.6 |" in line(page, "arena |")


@pytest.mark.parametrize(
    ("changes", "loaded"), [({}, "no"), ({"load_at_start": 3.0}, "yes"), ({"others_cpus": 0.9}, "yes")]
)
def test_the_page_says_whether_others_were_at_work(changes: dict[str, float], loaded: str) -> None:
    page = report.page(results(replay=bench(REPLAY_FIGURES, **changes)))
    assert f"Measured while the machine was loaded: **{loaded}**." in page


def test_the_committed_page_is_what_the_committed_results_make() -> None:
    known = json.loads(report.RESULTS.read_text("utf-8"))
    assert report.PAGE.read_text("utf-8") == report.page(known), "run: python -m benchmarks.report"


def test_the_machine_is_told_without_a_name_or_a_path() -> None:
    words = machine.in_words(machine.facts())
    assert re.fullmatch(
        r"a (virtual )?machine with \d+ CPUs? \([^/]+\)(, [\d.]+ GiB of memory)?, [\w.]+ [\d.]+, .+", words
    )
    assert not re.search(rf"\b{re.escape(platform.node())}\b", words)
    assert not re.search(r"/\w", words)


def test_the_committed_results_name_no_place_of_the_machine() -> None:
    text = report.RESULTS.read_text("utf-8")
    assert not re.search(r"/(home|root|work|tmp|usr|opt|mnt|Users)\b", text)
    assert "://" not in text


def test_what_others_use_is_what_all_use_without_us() -> None:
    before, after = machine.Reading(0.0, 10.0, 1.0, 0.0), machine.Reading(10.0, 25.0, 11.0, 1.0)
    assert machine.others(before, after) == {"others_cpus": 0.5, "stolen_cpus": 0.1}


def test_pips_reason_is_kept_and_its_addresses_are_not() -> None:
    assert _why("ERROR: No matching distribution found for x==9\n") == "No matching distribution found for x==9."
    assert _why("ERROR: HTTP error 404 while getting https://example.org/x.whl\n") == "pip could not install it."


@pytest.mark.parametrize("place", ["many/bots=3/ratio", "many/ratio", "one/nothing", "nothing/at/all"])
def test_a_place_that_is_not_there_is_nothing(place: str) -> None:
    assert pick(REPLAY_FIGURES, place) is None


def test_numbers_are_short() -> None:
    shown = [number(value) for value in (0.08, 0.9046, 2.0, 61.25, 1234.5, 500_000, None, "0.1.0")]
    assert shown == ["0.08", "0.905", "2", "61.2", "1,234", "500,000", "-", "0.1.0"]


def test_every_benchmark_is_run_and_every_program_is_described() -> None:
    there = {path.stem for path in (ROOT / "benchmarks").glob("*_*.py") if not path.stem.startswith("__")}
    readme = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    assert {name for name in there if f"`{name}.py`" not in readme} == set()
    assert {name for name in there if name.startswith("bench_")} <= {each.module for each in BENCHES.values()}
    assert [question.bench for question in QUESTIONS] == list(BENCHES)


@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_is_pinned(peer: str) -> None:
    lines = (ROOT / "benchmarks" / "peers" / f"{peer}.txt").read_text("utf-8").splitlines()
    assert lines[0].startswith(f"{peer}==")
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", each) for each in lines)
    assert (ROOT / "benchmarks" / "peers" / f"play_{peer}.py").exists()


def test_a_run_of_one_benchmark_keeps_what_is_known_of_the_others(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    another = {**machine.facts(), "cpu": "Another One"}
    out.write_text(json.dumps({**results(replay=bench(REPLAY_FIGURES)), "machine": another}), "utf-8")
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--only", "frames", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    found = json.loads(out.read_text("utf-8"))["benches"]
    assert list(found) == ["replay", "frames"]
    assert found["frames"]["figures"]["frames"] == 5_000
    assert found["frames"]["quick"]
    assert (found["replay"]["machine"]["cpu"], found["frames"]["machine"]) == (another["cpu"], machine.facts())
    assert "(Another One)" in (tmp_path / "found.md").read_text("utf-8")
    assert (tmp_path / "found.md").read_text("utf-8") == report.page(json.loads(out.read_text("utf-8")))
