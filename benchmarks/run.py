"""Runs every benchmark in turn and writes benchmarks/results.json and docs/performance.md.

    python -m benchmarks.run [--quick] [--only NAME...] [--out FILE]

With `--only`, what the file holds of the others stays. With another `--out`, or `--quick`, the page is
written beside that file and the one of the documentation stays as it is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arena import __version__
from benchmarks import machine, report

QUICK = report.ROOT / "benchmarks" / "results" / "quick.json"
PATIENCE = 3600.0


@dataclass(frozen=True, slots=True)
class Bench:
    """A program, what it is told, and what it is told when it has to be quick."""

    module: str
    full: str = ""
    quick: str = ""

    def command(self, out: Path, *, quick: bool) -> list[str]:
        """Return how it is started; one that cannot write a file prints its JSON."""
        source = (report.ROOT / "benchmarks" / f"{self.module}.py").read_text("utf-8")
        told = (self.quick if quick else self.full).split()
        where = ["--json", str(out)] if '"--json"' in source else []
        return [sys.executable, "-m", f"benchmarks.{self.module}", *told, *where]


BENCHES = {
    "replay": Bench("bench_replay", "", "--rounds 1 --ticks 50000 --bots 2"),
    "peers": Bench("bench_peers", "", "--rounds 1 --bars 20000 --slow-bars 5000"),
    "lockstep": Bench("bench_lockstep", "", "--rounds 1"),
    "live": Bench("bench_live", "1000 2000 9600 --ticks 120", "50 --ticks 3"),
    "offenders": Bench("bench_live", "1000 --ticks 120 --offenders 0.05", "50 --ticks 3 --offenders 0.1"),
    "readers": Bench("bench_readers", "", "--bots 20 --seconds 3"),
    "pages": Bench("bench_pages", "", "--bots 20 --spectators 20 --seconds 3 --rounds 1"),
    "start": Bench("bench_start", "", "--bots 10"),
    "season": Bench("bench_season", "", "--ticks 2000 --rounds 1"),
    "month": Bench("bench_month", "", "--ticks 26000 --bots 3 --ages 0.1,1"),
    "snapshots": Bench("bench_snapshots", "200 --ticks 1500", "10 --ticks 20"),
    "storage": Bench("bench_storage", "", "--rows 2600"),
    "hosts": Bench("hosts_cost", "1000", "20 --ticks 3"),
    "farm": Bench("bench_farm", "", "--bots 2 --ticks 500 --rounds 1"),
    "board": Bench("bench_board", "", "--rounds 1 --seconds 0.2"),
    "writes": Bench("bench_writes", "", "--rounds 1 --rows 2000 --bots 100"),
    "files": Bench("bench_files", "", "--quick"),
    "guards": Bench("bench_guards", "", "--rounds 3 --ticks 5000"),
    "tricks": Bench("bench_tricks", "", "--bots 10 --rounds 1"),
    "queue": Bench("bench_queue", "", "--count 8 --seconds 0.2 --bots 2"),
    "intake": Bench("bench_intake", "", "--prompts 2 --spoilt 1"),
    "behaviour": Bench("bench_behaviour", "", "--bots 1"),
    "frames": Bench("fuzz_frames", "1000000", "5000"),
}


def measure(name: str, *, quick: bool, load_at_start: float) -> dict[str, Any]:
    """Run one benchmark and return its figures, or how it failed, with how busy the machine was."""
    before = machine.read()
    found = _run(BENCHES[name], quick=quick)
    machine.bury_orphans()
    after = machine.read()
    return {
        "day": datetime.now(UTC).date().isoformat(), "quick": quick, "seconds": round(after.clock - before.clock, 1),
        "load_at_start": load_at_start, "load_at_end": machine.load(), **machine.others(before, after), **found,
    }  # fmt: skip


def _run(bench: Bench, *, quick: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out, printed = Path(folder) / "out.json", Path(folder) / "printed"
        try:
            command = bench.command(out, quick=quick)
            with printed.open("wb") as stdout:
                done = subprocess.run(command, stdout=stdout, cwd=report.ROOT, timeout=PATIENCE, check=False)
        except FileNotFoundError:
            return {"failed": "there is no such program."}
        except subprocess.TimeoutExpired:
            return {"failed": f"it took more than {PATIENCE:.0f} s."}
        text = printed.read_text("utf-8")
        print(text, flush=True)
        if done.returncode:
            return {"failed": f"it ended with exit code {done.returncode}."}
        return {"figures": json.loads(out.read_text("utf-8") if out.exists() else text)}


def _known(out: Path) -> dict[str, Any]:
    """Return what a file already holds; each benchmark names the machine that it was measured on."""
    if not out.exists():
        return {}
    there = json.loads(out.read_text("utf-8"))
    return {name: {"machine": there["machine"], **bench} for name, bench in there["benches"].items()}


def run(names: list[str], out: Path, *, quick: bool) -> dict[str, Any]:
    """Run benchmarks one after another; after each of them the file is written."""
    facts, load = machine.facts(), machine.load()
    kept = _known(out) if set(names) != set(BENCHES) else {}
    machine.adopt_orphans()
    out.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"arena": __version__, "machine": facts, "benches": kept}
    for name in names:
        print(f"-- {name}", file=sys.stderr, flush=True)
        kept[name] = {"machine": facts, **measure(name, quick=quick, load_at_start=load)}
        results["benches"] = {known: kept[known] for known in BENCHES if known in kept}
        out.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    return results


def main() -> None:
    """Run, write, and exit 1 where a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, in two minutes")
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    out = (told.out or (QUICK if told.quick else report.RESULTS)).resolve()
    started = time.monotonic()
    results = run(told.only, out, quick=told.quick)
    target = report.PAGE if out == report.RESULTS else out.with_suffix(".md")
    report.write(out, target)
    print(f"{out}\n{target}\n{time.monotonic() - started:.0f} s", file=sys.stderr)
    sys.exit(any("failed" in results["benches"][name] for name in told.only))


if __name__ == "__main__":
    main()
