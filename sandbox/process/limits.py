"""How much one bot may use. All are settings; the defaults are those the threat model was measured with."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one worker; times in seconds of CPU unless they say wall."""

    source_bytes: int = 64 * KIB
    tick_cpu_soft: float = 0.100
    tick_cpu_hard: float = 1.0
    load_cpu: float = 2.0
    load_wall: float = 20.0
    wall_backstop: float = 30.0
    memory_bytes: int = 256 * MIB
    frame_bytes: int = 128 * KIB
    program_bytes: int = 4 * MIB
    # Compressed; unpacked it may be sixteen times as large.
    snapshot_bytes: int = MIB
    snapshot_cpu: float = 2.0
    lifetime_cpu: int = 60
    nice: int = 10
    uid_base: int = 20_000
    uid_count: int = 10_000

    def run_cpu(self, ticks: int) -> float:
        """Return the CPU budget of a run of `ticks` ticks sent at once."""
        return min(ticks * self.tick_cpu_soft, self.tick_cpu_hard + ticks * 0.001)
