"""Kills, freezes and cuts off machines that play a season's bots, again and again, and then proves everything.

    python -m benchmarks.soak_hosts --kills 50
    python -m benchmarks.soak_hosts --kills 10 --ray

A real server plays the synthetic market; host programs play its bots, each behind a cable that can be cut or held.
With `--ray` the nodes of a cluster do: `arena cluster up` and `arena cluster join`; its head is restarted too. In the
end every bot's record is run again from the first tick: it must be reproduced, no order filled twice. No bot may have
missed a tick but those whose own host, worker or server had failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from arena.store.database import open_database, upgrade
from arena.store.hosts import add_host
from benchmarks.soak_crash import ROOT, Soak, prove

_LOST = re.compile(r"Host '([^']+)' is lost after tick (-?\d+), with (\d+) bots: (.*)")
COUNTER = """NAME = "Counter {n}"
SYMBOLS = ["BTCUSDT"]
calls = {n}
def init(ctx):
    pass
def on_tick(ctx, tick):
    global calls
    calls += 1
    ctx.log(f"call {{calls}}")
    if calls % 4 == 0:
        ctx.submit_order("BTCUSDT", "BUY" if calls % 8 else "SELL", 0.0001 * (1 + calls % 5))
"""


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class Connection(NamedTuple):
    """Both ends of a connection, and whether bytes pass now."""

    near: socket.socket
    far: socket.socket
    passes: threading.Event


class Cable:
    """Carries the bytes of hosts' connections to the server, until it is cut or held."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[Connection] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Return where the host connects."""
        return int(self._listening.getsockname()[1])

    def choose(self, rng: random.Random) -> list[Connection]:
        """Return one of the present connections, none where there is none."""
        present = list(self._connections)
        return [rng.choice(present)] if present else []

    @staticmethod
    def cut(chosen: list[Connection]) -> None:
        """End these connections at once."""
        for end in [end for each in chosen for end in (each.near, each.far)]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def hold(chosen: list[Connection]) -> None:
        """Carry nothing more of these, without a word to either end."""
        for each in chosen:
            each.passes.clear()

    @staticmethod
    def go_on(chosen: list[Connection]) -> None:
        """Carry what has waited, and all that follows."""
        for each in chosen:
            each.passes.set()

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            made = Connection(near, far, threading.Event())
            made.passes.set()
            self._connections.append(made)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(made, *pair), daemon=True).start()

    def _carry(self, made: Connection, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                made.passes.wait()
                other.sendall(data)
        self.cut([made])
        with contextlib.suppress(ValueError):
            self._connections.remove(made)


@dataclass
class Machine:
    """One host program, or one node of a cluster, with all that it has started."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.log.parent, env=self.environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def signal(self, number: int) -> None:
        """Send a signal to it and to all that it has started."""
        assert self.process is not None
        for pid in [self.process.pid, *below(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()


def below(pid: int) -> list[int]:
    """Return the process ids of a process's children and theirs."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text("ascii").split()):
                found += [child, *below(child)]
    return found


@dataclass
class HostSoak:
    """A server, its machines, and what goes wrong with them."""

    folder: Path
    rng: random.Random
    machines: int
    ray: bool
    say: Callable[[str], None]
    done: Counter[str] = field(default_factory=Counter)
    restarts: list[int] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        told = {"HOSTS_LISTEN": f"127.0.0.1:{self.port}", "TICK_CPU_SOFT": "5", "TICK_CPU_HARD": "20"}
        self.server = Soak(self.folder, self.rng, 1.0, settings=told)
        self.hosts: list[Machine] = []
        # By Ray all machines are told the same address of the server: each has a connection of its own on this cable.
        self.cables = [Cable(self.port) for _ in range(1 if self.ray else self.machines)]

    def prepare(self) -> None:
        """Fill the folder of bots and let machines in."""
        self.server.prepare()
        for n in range(6):
            (self.folder / "bots" / f"counter_{n}.py").write_text(COUNTER.format(n=n), "utf-8")
        database = open_database(f"sqlite:///{self.folder / 'lab.db'}")
        upgrade(database)
        keep = {key: os.environ[key] for key in ("PATH", "HOME", "VIRTUAL_ENV") if key in os.environ}
        more = {**keep, "PYTHONPATH": str(ROOT), "TICK_CPU_SOFT": "5", "TICK_CPU_HARD": "20"}
        arena = [sys.executable, "-m", "arena"]
        if self.ray:
            self._prepare_cluster(arena, more)
        for place in range(0 if self.ray else self.machines):
            token = self.folder / f"host-{place}.token"
            token.write_text(add_host(database, f"host-{place}"), "ascii")
            token.chmod(0o600)
            server = f"ws://127.0.0.1:{self.cables[place].port}"
            command = [*arena, "host", "--server", server, "--token-file", str(token)]
            environment = {**more, "SANDBOX_UID_BASE": str(50_000 + 2_000 * place)}
            self.hosts.append(Machine(f"host-{place}", command, environment, self.folder / f"host-{place}.log"))
        database.dispose()

    def _prepare_cluster(self, arena: list[str], more: dict[str, str]) -> None:
        port, token = free_port(), self.folder / "ray.token"
        shared = ["--address", "127.0.0.1", "--token-file", str(token)]
        up = [
            *arena, "cluster", "up", "--server", f"ws://127.0.0.1:{self.cables[0].port}", "--port", str(port),
            "--db", str(self.folder / "lab.db"), *shared,
        ]  # fmt: skip
        self.head = Machine("cluster head", up, {**more, "SANDBOX_UID_BASE": "60000"}, self.folder / "up.log")
        for place in range(self.machines - 1):
            join = [*arena, "cluster", "join", f"127.0.0.1:{port}", *shared]
            # A node that misses the head's old process keeps the new one on the same machine from starting.
            quick = {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
            environment = {**more, **quick, "SANDBOX_UID_BASE": str(50_000 + 2_000 * place)}
            self.hosts.append(Machine(f"node-{place}", join, environment, self.folder / f"node-{place}.log"))

    # -- what is known ------------------------------------------------------------------------------------

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the hosts as the database has them."""
        with sqlite3.connect(f"file:{self.folder / 'lab.db'}?mode=ro", uri=True, timeout=20) as connection:
            connection.row_factory = sqlite3.Row
            return {row["name"]: dict(row) for row in connection.execute("SELECT * FROM hosts")}

    def joined(self) -> list[str]:
        """Return the hosts that play now."""
        return [name for name, row in self.rows().items() if row["state"] == "joined"]

    def until_joined(self, count: int, patience: float = 240.0) -> None:
        """Wait until so many machines play."""
        end = time.monotonic() + patience
        while len(self.joined()) < count:
            if time.monotonic() > end:
                raise SystemExit(f"the machines do not join: {self.rows()}\n{self.tails()}")
            self._start_ended()
            self.server.wait(0.1)

    def _start_ended(self) -> None:
        """Start again what has ended by itself: Ray gives its start up on a busy machine."""
        for machine in [*self.hosts, *([self.head] if self.ray else [])]:
            if machine.process is not None and machine.process.poll() is not None:
                self.done["ended by itself"] += 1
                machine.start()

    def until_all_play(self, patience: float = 240.0) -> None:
        """Wait until every bot is at work on a machine that has joined."""
        end, bots = time.monotonic() + patience, len(list((self.folder / "bots").glob("*.py")))
        while sum(row["bots"] for row in self.rows().values() if row["state"] == "joined") < bots:
            if time.monotonic() > end:
                raise SystemExit(f"the bots do not come back: {self.rows()}\n{self.tails()}")
            self.server.wait(0.1)

    def tails(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"-- {path.name}\n{path.read_text('utf-8', 'replace')[-1500:]}"
                         for path in sorted(self.folder.glob("*.log")))  # fmt: skip

    # -- what goes wrong ----------------------------------------------------------------------------------

    def kill_host(self) -> None:
        """Kill a machine's program, and start it again after a while."""
        machine = self.rng.choice(self.hosts)
        machine.kill()
        self.server.wait(self.rng.uniform(0.0, 4.0))
        machine.start()

    def freeze_host(self) -> None:
        """Let a machine stand still, shorter or longer than its lease."""
        machine = self.rng.choice(self.hosts)
        machine.signal(signal.SIGSTOP)
        self.server.wait(self.rng.uniform(0.2, 12.0))
        machine.signal(signal.SIGCONT)

    def cut_cable(self) -> None:
        """End a machine's connection."""
        cable = self.rng.choice(self.cables)
        cable.cut(cable.choose(self.rng))

    def hold_cable(self) -> None:
        """Cut a machine off without a word, shorter or longer than its lease; what has waited comes late."""
        cable = self.rng.choice(self.cables)
        chosen = cable.choose(self.rng)
        cable.hold(chosen)
        self.server.wait(self.rng.uniform(0.2, 12.0))
        cable.go_on(chosen)

    def restart_head_of_cluster(self) -> None:
        """Kill the head of the cluster with its machine's host program, and start it again after a while."""
        self.head.kill()
        self.server.wait(self.rng.uniform(0.0, 4.0))
        self.head.start()

    def kill_zygote_of_host(self) -> None:
        """Kill the process that starts a machine's bots, and all of its bots with it."""
        self._fault_at_host(0)

    def kill_worker_of_host(self) -> None:
        """Kill one bot's process on a machine."""
        self._fault_at_host(1)

    def _fault_at_host(self, depth: int) -> None:
        machine = self.rng.choice(self.hosts)
        assert machine.process is not None
        found = self.server.children(machine.process.pid)
        for _ in range(depth):
            found = [child for pid in found for child in self.server.children(pid)]
        self.faults.append(self.server.ticks())
        if found:
            os.kill(self.rng.choice(found), signal.SIGKILL)

    def kill_server(self) -> None:
        """Kill the server as a power cut would; hosts come back to the next one by themselves."""
        self.server.kill()
        self.restarts.append(self.server.ticks())
        self.server.start()

    def run(self, kills: int) -> None:
        """Let `kills` things go wrong."""
        acts = [self.kill_host] * 14 + [self.freeze_host] * 12 + [self.kill_server] * 4
        acts += [self.cut_cable] * 7 + [self.hold_cable] * 9
        if self.ray:
            acts += [self.restart_head_of_cluster] * 5
        else:
            acts += [self.kill_zygote_of_host] * 2 + [self.kill_worker_of_host] * 2
        self.server.start()
        self.server.until_bots()
        if self.ray:
            self.head.start()
            self.until_joined(1)
        for count, machine in enumerate(self.hosts, 2 if self.ray else 1):
            machine.start()
            self.until_joined(count)
        self.until_all_play()
        self.say(f"{self.machines} machines play after {self.server.ticks()} ticks")
        for n in range(kills):
            act = self.rng.choice(acts)
            act()
            self.done[act.__name__] += 1
            # Now and then the next thing goes wrong before all is well again.
            self.server.until_ticks(self.rng.randrange(1, 6))
            if self.rng.random() < 0.4:
                self.until_joined(self.machines)
            self.say(f"{n + 1}/{kills} {act.__name__}, {self.server.ticks()} ticks, {len(self.joined())} joined")
        self.until_joined(self.machines)
        self.until_all_play()
        self.server.until_ticks(10)
        self.server.stop()

    def end(self) -> None:
        """End every program."""
        for machine in [*self.hosts, *([self.head] if self.ray else [])]:
            if machine.process is not None:
                machine.signal(signal.SIGCONT)
                machine.kill()
        if self.server.process is not None and self.server.process.poll() is None:
            self.server.process.kill()
            self.server.process.wait()


def absences(run: HostSoak) -> dict[str, Any]:
    """Return how many ticks the counting bots missed, and which absences no fault explains."""
    text = (run.folder / "serve.log").read_text("utf-8", "replace")
    lost: Counter[int] = Counter()
    reasons: Counter[str] = Counter()
    for _, tick, bots, reason in _LOST.findall(text):
        lost[int(tick) + 1] += int(bots)
        reasons[reason.strip()[:60]] += 1
    problems, missed, begun = [], 0, Counter[int]()
    with sqlite3.connect(run.folder / "lab.db") as connection:
        last = connection.execute("SELECT max(n) FROM ticks").fetchone()[0]
        bots = connection.execute("SELECT bot_id, bot_name FROM entries WHERE bot_name LIKE 'Counter%'").fetchall()
        events: dict[tuple[str, int], list[str]] = {}
        for bot, tick, event, detail in connection.execute("SELECT bot_id, tick, event, detail FROM bot_ticks"):
            events.setdefault((bot, tick), []).append(f"{event} {detail or ''}".strip())
        for bot, name in bots:
            lines = connection.execute("SELECT tick FROM logs WHERE bot_id = ? AND message LIKE 'call %'", (bot,))
            called = [tick for (tick,) in lines]
            problems += [f"{name} was called twice at a tick"] * (len(set(called)) != len(called))
            away = sorted(set(range(min(called), last + 1)) - set(called))
            missed += len(away)
            for tick in away:
                if tick - 1 not in away and not _explained(run, events.get((bot, tick), []), tick):
                    begun[tick] += 1
    for tick, count in sorted(begun.items()):
        if count > lost[tick]:
            problems.append(f"at tick {tick} {count} bots begin to miss ticks, and hosts with {lost[tick]} were lost")
    return {
        "hosts lost": sum(reasons.values()), "reasons": dict(reasons), "bots lost with them": sum(lost.values()),
        "ticks missed by the counters": missed, "of": len(bots) * (last + 1), "unexplained": problems,
    }  # fmt: skip


def _explained(run: HostSoak, events: list[str], tick: int) -> bool:
    """Say whether the beginning of an absence is explained without a lost host."""
    own = any(event.startswith(("late", "killed")) or event == "skipped" for event in events)
    restarted = any(0 <= tick - before <= 2 for before in run.restarts)
    return own or restarted or any(0 <= tick - before <= 3 for before in run.faults)


def soak(told: argparse.Namespace, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Run it all and return the report."""
    run = HostSoak(folder, random.Random(told.seed), told.machines, told.ray, say)
    run.prepare()
    started = time.monotonic()
    try:
        run.run(told.kills)
    finally:
        run.end()
    seconds = round(time.monotonic() - started, 1)
    found, proved = absences(run), prove(folder)
    return {
        "kills": told.kills, "seed": told.seed, "machines": told.machines, "by Ray": told.ray, "done": dict(run.done),
        "ticks": run.server.ticks(), "seconds": seconds, **found, "proofs": dict(Counter(proved["proofs"].values())),
        "problems": [*found["unexplained"], *proved["problems"]],
    }  # fmt: skip


def main() -> None:
    """Print the report as JSON; exit 1 where anything was lost, doubled, different or missed without a reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--machines", type=int, default=3)
    parser.add_argument("--ray", action="store_true", help="a Ray cluster places the host programs")
    parser.add_argument("--keep", type=Path, help="leave logs and database in this folder")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.keep or Path(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        report = soak(told, folder, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps(report, indent=2))
    sys.exit(1 if report["problems"] else 0)


if __name__ == "__main__":
    main()
