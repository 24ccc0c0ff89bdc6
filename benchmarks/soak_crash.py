"""Kills the server, its zygote and its workers at random moments, again and again, and then proves everything.

    python -m benchmarks.soak_crash --kills 200
    python -m benchmarks.soak_crash --kills 100 --readers 40
    python -m benchmarks.soak_crash --kills 10 --snapshots

A real server plays the synthetic market with all shipped bots and two eager ones. After each kill it is
started again. Now and then its disk is full for a while, or its database locked by somebody else; readers, if any,
ask the heavy routes all the while. In the
end every bot's record is run again from the first tick to the last without an interruption: every order,
fill and equity row must come out, bit for bit, so that nothing was lost, doubled or remembered wrongly.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
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
from typing import Any

import httpx2

from arena import __version__
from arena.engine.replay.proof import REPRODUCED, verify
from arena.feeds.synthetic import SyntheticMarket
from arena.store.bundle import read_bundle
from arena.store.database import open_database
from arena.store.seasons import season_seeds
from sandbox.pool import Pool
from sandbox.process.limits import Limits

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = "arena.runtime.bot:BotRuntime"
EAGER = """import random
NAME = "Eager {n}"
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
seen = []
def init(ctx):
    ctx.submit_order("BTCUSDT", "BUY", 0.001)
def on_tick(ctx, tick):
    seen.append(tick["prices"]["BTCUSDT"])
    del seen[:-50]
    side = "BUY" if sum(seen) / len(seen) > seen[-1] else "SELL"
    ctx.submit_order(random.choice(SYMBOLS), side, random.random() / 100)
"""
READ = ("bundle", "equity?limit=20000", "trades?limit=1000", "orders?limit=1000", "logs?limit=1000")


@dataclass
class Readers:
    """Clients that ask the heavy routes of whichever server is up, one request after the other."""

    log: Path
    count: int
    statuses: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,), daemon=True) for n in range(self.count)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def _address(self) -> str | None:
        found = (
            re.findall(r"http://127\.0\.0\.1:\d+", self.log.read_text("utf-8", "replace")) if self.log.exists() else []
        )
        return found[-1] if found else None

    def _read(self, number: int) -> None:
        while not self._ended.wait(0.1):
            if url := self._address():
                with contextlib.suppress(httpx2.HTTPError, KeyError, ValueError):
                    self._ask(url, number)

    def _ask(self, url: str, number: int) -> None:
        with httpx2.Client(base_url=f"{url}/api/v1", timeout=10, trust_env=False) as client:
            bots = [bot["bot_id"] for bot in client.get("/bots").json()["items"]]
            for turn in itertools.count(number):
                if self._ended.is_set() or not bots:
                    return
                path = f"/bots/{bots[turn % len(bots)]}/{READ[turn % len(READ)]}"
                self.statuses[str(client.get(path if turn % 7 else "/leaderboard?limit=1000").status_code)] += 1


@dataclass
class Soak:
    """One database and the servers that live and die on it."""

    folder: Path
    rng: random.Random
    tick: float = 0.05
    done: Counter[str] = field(default_factory=Counter)
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Fill the folder of bots."""
        bots = self.folder / "bots"
        bots.mkdir(parents=True)
        for path in sorted((ROOT / "bots").glob("*.py")):
            shutil.copy(path, bots)
        for n in range(2):
            (bots / f"eager_{n}.py").write_text(EAGER.format(n=n), "utf-8")

    # -- a server's life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start a server on the database."""
        keep = {key: os.environ[key] for key in ("PATH", "HOME", "VIRTUAL_ENV") if key in os.environ}
        environment = {
            **keep, "PORT": "0", "FEED": "synthetic", "TICK_INTERVAL_SECONDS": str(self.tick), "MIN_FREE_DISK": "0",
            "PYTHONPATH": str(ROOT), "BOTS_DIR": str(self.folder / "bots"), "TRIAL_TICKS": "40",
            # Of all bots together several in a second, so that kills meet the writing of one.
            "SNAPSHOT_MINUTES": "0.02", **self.settings,
        }  # fmt: skip
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arena", "serve", "--no-dashboard"], cwd=self.folder, env=environment,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Let it live for a while; it must not end by itself."""
        assert self.process is not None
        try:
            code = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return
        log = (self.folder / "serve.log").read_text("utf-8", "replace")
        raise SystemExit(f"the server ended by itself with {code}:\n{log[-3000:]}")

    def kill(self) -> None:
        """End the server as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.done["server"] += 1

    def stop(self) -> None:
        """End the server as a person would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=90)

    def children(self, pid: int) -> list[int]:
        """Return the process ids of a process's children."""
        found = []
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in path.read_text("ascii").split()]
        return found

    def ticks(self) -> int:
        """Return how many ticks have been recorded."""
        try:
            with sqlite3.connect(f"file:{self.folder / 'lab.db'}?mode=ro", uri=True, timeout=20) as connection:
                return int(connection.execute("SELECT count(*) FROM ticks").fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def until_ticks(self, count: int, patience: float = 90.0) -> None:
        """Wait until so many more ticks are recorded; none for `patience` seconds is a clock that stands."""
        seen = self.ticks()
        aim, moved = seen + count, time.monotonic()
        while seen < aim:
            if (now := self.ticks()) > seen:
                seen, moved = now, time.monotonic()
            if time.monotonic() > moved + patience:
                log = (self.folder / "serve.log").read_text("utf-8", "replace")
                raise SystemExit(f"the clock does not go on:\n{log[-3000:]}")
            self.wait(0.02)

    def until_bots(self, patience: float = 90.0) -> None:
        """Wait until all bots of the folder take part."""
        end = time.monotonic() + patience
        while len(self.enrolled()) < len(list((self.folder / "bots").glob("*.py"))):
            if time.monotonic() > end:
                raise SystemExit("the bots of the folder do not come in")
            self.wait(0.05)

    def enrolled(self) -> list[str]:
        """Return the ids of the bots that take part."""
        try:
            with sqlite3.connect(f"file:{self.folder / 'lab.db'}?mode=ro", uri=True, timeout=20) as connection:
                return [str(bot) for (bot,) in connection.execute("SELECT bot_id FROM entries")]
        except sqlite3.OperationalError:
            return []

    # -- what goes wrong --------------------------------------------------------------------------------

    def kill_server_in_its_start(self) -> None:
        """Kill it while it starts or recovers."""
        self.wait(self.rng.uniform(0.0, 3.0))
        self.kill()
        self.start()

    def kill_server_in_its_ticks(self) -> None:
        """Kill it in a tick or a commit."""
        self.until_ticks(self.rng.randrange(1, 30))
        self.wait(self.rng.uniform(0.0, 2 * self.tick))
        self.kill()
        self.start()

    def newest_snapshot(self) -> int:
        """Return the id of the row of `snapshots` that was written last."""
        try:
            with sqlite3.connect(f"file:{self.folder / 'lab.db'}?mode=ro", uri=True, timeout=20) as connection:
                return int(connection.execute("SELECT coalesce(max(id), 0) FROM snapshots").fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def kill_server_at_a_snapshot(self) -> None:
        """Kill it while it writes snapshots, or right before or after."""
        self.until_ticks(3)
        before, end = self.newest_snapshot(), time.monotonic() + 20.0
        while self.newest_snapshot() == before and time.monotonic() < end:
            time.sleep(0.0005)
        # The next one is due some tens of milliseconds later.
        time.sleep(self.rng.uniform(0.0, 0.2))
        self.done["snapshots seen"] += self.newest_snapshot() > before
        self.kill()
        self.start()

    def kill_zygote(self) -> None:
        """Kill the process that starts bots, and all bots with it."""
        self.until_ticks(self.rng.randrange(1, 10))
        assert self.process is not None
        for pid in self.children(self.process.pid)[:1]:
            os.kill(pid, signal.SIGKILL)
            self.done["zygote"] += 1
        self.until_ticks(3)

    def kill_worker(self) -> None:
        """Kill one bot's process."""
        self.until_ticks(self.rng.randrange(1, 10))
        assert self.process is not None
        self.until_bots()
        workers = [pid for zygote in self.children(self.process.pid) for pid in self.children(zygote)]
        if workers:
            os.kill(self.rng.choice(workers), signal.SIGKILL)
            self.done["worker"] += 1
        self.until_ticks(3)

    def fill_disk(self) -> None:
        """Let no file grow for a while, then let it go on; a kill in between now and then."""
        self.until_ticks(2)
        assert self.process is not None
        size = max(path.stat().st_size for path in self.folder.glob("lab.db*"))
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))
        self.wait(self.rng.uniform(1.0, 2.5))
        self.done["full disk"] += 1
        if self.rng.random() < 0.5:
            self.kill()
            self.start()
        else:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        self.until_ticks(3)

    def lock_database(self) -> None:
        """Hold the database's write lock for a while, as a careless tool would."""
        self.until_ticks(2)
        other = sqlite3.connect(self.folder / "lab.db", timeout=20, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        self.wait(self.rng.uniform(0.5, 11.5))
        other.execute("ROLLBACK")
        other.close()
        self.done["locked database"] += 1
        self.until_ticks(3)

    def run(self, kills: int, say: Callable[[str], None], *, snapshots: bool = False) -> None:
        """Let `kills` things go wrong, the server's death mostly; a short run takes the quick ones in turn.

        With `snapshots`, it is its death at the writing of one each time.
        """
        acts = (
            [self.kill_server_in_its_start] * 8 + [self.kill_server_in_its_ticks] * 8 + [self.kill_zygote] * 2
            + [self.kill_server_at_a_snapshot] * 6 + [self.kill_worker, self.fill_disk, self.lock_database]
        )  # fmt: skip
        self.start()
        for n in range(kills):
            act = acts[(0, 8, 16, 18, 24)[n % 5]] if kills < 20 else self.rng.choice(acts)
            act = self.kill_server_at_a_snapshot if snapshots else act
            act()
            say(f"{n + 1}/{kills} {act.__name__}, {self.ticks()} ticks")
        self.until_bots()
        self.until_ticks(20)
        self.stop()


def prove(folder: Path) -> dict[str, Any]:
    """Run every bot again and check the market, the accounts and the ids; return what was found."""
    database = open_database(f"sqlite:///{folder / 'lab.db'}")
    problems: list[str] = []
    with sqlite3.connect(folder / "lab.db") as connection:
        connection.row_factory = sqlite3.Row
        season = connection.execute("SELECT * FROM seasons").fetchall()
        problems += [f"there are {len(season)} seasons"] * (len(season) != 1)
        seed = season_seeds(database, season[0]["id"]).market
        problems += _market_problems(connection, season[0], seed)
        twice = connection.execute("SELECT order_id FROM trades GROUP BY order_id HAVING count(*) > 1").fetchall()
        problems += [f"order {row[0]} was filled twice" for row in twice]
        bots = [row["bot_id"] for row in connection.execute("SELECT bot_id FROM entries ORDER BY admitted_tick")]
    proofs = {}
    pool = Pool(RUNTIME, Limits(uid_base=40_000, tick_cpu_soft=5.0, tick_cpu_hard=20.0))
    pool.start()
    try:
        for bot_id in bots:
            bundle = read_bundle(database, season[0]["id"], bot_id, __version__)
            proof = verify(pool, bundle)
            proofs[bundle.entry["bot_name"]] = proof.sentence
            if proof.status != REPRODUCED:
                problems.append(f"{bundle.entry['bot_name']}: {proof.sentence}")
    finally:
        pool.stop()
        database.dispose()
    return {"proofs": proofs, "problems": problems}


def _market_problems(connection: sqlite3.Connection, season: sqlite3.Row, seed: str) -> list[str]:
    """Say where ticks are missing or their prices are not those that follow from the season's seed."""
    rows = connection.execute("SELECT n, time, prices FROM ticks ORDER BY n").fetchall()
    found = [f"tick {n} is missing" for n, row in enumerate(rows) if row["n"] != n][:1]
    market = SyntheticMarket(seed, tuple(json.loads(season["symbols"])), season["interval"])
    prices: dict[str, float] = {}
    for row in rows:
        prices = market.next(row["n"], prices) if prices else market.first()
        if json.loads(row["prices"]) != prices:
            return [*found, f"the prices of tick {row['n']} are not the market's"]
    return found


def soak(
    kills: int, seed: int, folder: Path, say: Callable[[str], None], readers: int = 0, *, snapshots: bool = False
) -> dict[str, Any]:
    """Run it all and return the report."""
    run = Soak(folder, random.Random(seed))
    run.prepare()
    started = time.monotonic()
    reading = Readers(folder / "serve.log", readers)
    try:
        with reading:
            run.run(kills, say, snapshots=snapshots)
    finally:
        if run.process is not None and run.process.poll() is None:
            run.process.kill()
            run.process.wait()
    return {
        "kills": kills, "seed": seed, "done": dict(run.done), "answers": dict(reading.statuses), "ticks": run.ticks(),
        "seconds": round(time.monotonic() - started, 1), **prove(folder),
    }  # fmt: skip


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Print the report as JSON; exit 1 where anything was lost, doubled or different."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readers", type=int, default=0, help="clients that read all the while")
    parser.add_argument("--snapshots", action="store_true", help="only kills at the writing of a snapshot")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = soak(
            arguments.kills, arguments.seed, Path(folder), _say, arguments.readers, snapshots=arguments.snapshots
        )
    print(json.dumps(report, indent=2))
    sys.exit(1 if report["problems"] else 0)


if __name__ == "__main__":
    main()
