"""What machine this is, in words that name no host, and how busy it is."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.process import kernel

# For each CPU; what is above is somebody else at work.
IDLE_LOAD = 0.25
IDLE_SHARE = 0.1
_PR_SET_CHILD_SUBREAPER = 36


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""


def facts() -> dict[str, Any]:
    """Return CPU model and count, memory, kernel and Python; no name, address or path."""
    cpu, memory = _read("/proc/cpuinfo"), _field(_read("/proc/meminfo"), "MemTotal")
    kernel = re.match(r"[\d.]*\d", platform.release())
    return {
        "cpu": _field(cpu, "model name") or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "virtual": "hypervisor" in _field(cpu, "flags").split(),
        "memory_gib": round(int(memory.split()[0]) / 2**20, 1) if memory else None,
        "kernel": f"{platform.system()} {kernel[0] if kernel else ''}".strip(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def in_words(machine: dict[str, Any]) -> str:
    """Return the facts as a phrase."""
    kind = "virtual machine" if machine["virtual"] else "machine"
    memory = f", {machine['memory_gib']:g} GiB of memory" if machine["memory_gib"] else ""
    plural = "s" if machine["cpus"] != 1 else ""
    return (
        f"a {kind} with {machine['cpus']} CPU{plural} ({machine['cpu']}){memory}, "
        f"{machine['kernel']}, {machine['python']}"
    )


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def adopt_orphans() -> None:
    """Let descendants whose parents die become children of this process, so that their CPU time is seen."""
    kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def bury_orphans() -> None:
    """Wait for adopted processes that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@dataclass(frozen=True, slots=True)
class Reading:
    """The CPU seconds used so far: by all, by the processes of this run, and those the host withheld."""

    clock: float
    all: float
    ours: float
    stolen: float


def read() -> Reading:
    """Return the counters as they stand; a descendant counts as ours once it has been waited for."""
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in _read("/proc/stat").partition("\n")[0].split()[1:9]]
    user, nice, system, _, _, irq, soft, stolen = ticks or [0.0] * 8
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours = sum(usage.ru_utime + usage.ru_stime for usage in used)
    return Reading(time.monotonic(), user + nice + system + irq + soft, ours, stolen)


def others(before: Reading, after: Reading) -> dict[str, float]:
    """Return how many CPUs other programs and the host kept busy between two readings, on average."""
    seconds = after.clock - before.clock
    foreign = (after.all - before.all) - (after.ours - before.ours)
    return {
        "others_cpus": round(max(0.0, foreign) / seconds, 2),
        "stolen_cpus": round((after.stolen - before.stolen) / seconds, 2),
    }


def is_loaded(load_at_start: float, others_cpus: float, cpus: int) -> bool:
    """Say whether others were at work when a run began or while it went on."""
    return load_at_start > IDLE_LOAD * cpus or others_cpus > IDLE_SHARE * cpus
