"""Starts and ends workers: one zygote, a control socket, and the identities workers run under."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox import kernel
from sandbox.barrier import Ask, gather
from sandbox.checked import Checked, read_checked, refused
from sandbox.errors import OutOfSlotsError, SandboxUnavailableError, ZygoteDiedError
from sandbox.identities import free_uids
from sandbox.limits import Limits
from sandbox.protocol import CONTROL_BYTES, Kind, pack_pair
from sandbox.rules import violation
from sandbox.verdict import Ending, Verdict
from sandbox.worker import Worker

ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_START = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from sandbox.zygote import main; main()"


class Pool:
    """All workers of one server; `start` belongs on a thread that lives as long as the pool."""

    def __init__(
        self,
        runtime: str,
        limits: Limits | None = None,
        on_zygote_death: Callable[[], None] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.confinement: dict[str, Any] = {"level": "none", "layers": [], "notes": []}
        self._runtime = runtime
        self._on_zygote_death = on_zygote_death
        self._lock = threading.Lock()
        self._workers: dict[int, Worker] = {}
        self._early_exits: dict[int, int] = {}
        self._unadopted: set[int] = set()
        self._listener: threading.Thread | None = None
        self._spawning: dict[int, Future[tuple[int, int]]] = {}
        self._next_id = 0
        self._slots: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._stopping = False

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the zygote and prove on a first child that a bot can be locked down here."""
        if sys.platform != "linux":
            raise SandboxUnavailableError(
                "bots run on Linux only: this system has no seccomp. Use WSL2 or a Linux container (see README)."
            )
        self._slots = free_uids(self.limits) if os.geteuid() == 0 else []
        self._launch()
        probe = self.check(b'NAME = "probe"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick):\n    pass\n')
        if not probe.accepted:
            self.stop()
            # The child's own sentence, out of the violation's around it.
            _, _, reason = str(probe.violations[0]["message"]).rpartition("Error: ")
            raise SandboxUnavailableError(f"Bots cannot run here: {reason}")

    def _launch(self) -> None:
        # The server's own memory holds keys: no process of the same user may look into it.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        paths = ":".join([str(ROOT), *(path for path in sys.path if "site-packages" in path)])
        command = [
            sys.executable, "-s", "-P", "-B", "-c", _START, paths,
            str(theirs.fileno()), self._runtime, json.dumps(asdict(self.limits)),
        ]  # fmt: skip
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, env=_ENVIRONMENT, cwd="/", close_fds=True, pass_fds=(theirs.fileno(),),
            start_new_session=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        self._control = ours
        data = ours.recv(CONTROL_BYTES)
        if not data or json.loads(data).get("op") != "ready":
            self._process.kill()
            self._process.wait()
            self._process, self._control = None, None
            ours.close()
            raise SandboxUnavailableError("the process that starts bots did not come up")
        self._listener = threading.Thread(target=self._listen, args=(ours,), name="zygote", daemon=True)
        self._listener.start()

    def stop(self) -> None:
        """End all workers and the zygote; nothing is left behind."""
        self._stopping = True
        for worker in list(self._workers.values()):
            worker.close()
        if self._control is not None:
            self._control.shutdown(socket.SHUT_RDWR)
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def restart_zygote(self) -> None:
        """Bring a new zygote up after the old one died; its workers are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        # The old listener must have said its last word before a new zygote's workers are booked.
        if self._listener is not None:
            self._listener.join()
        if self._control is not None:
            self._control.close()
        self._launch()

    @property
    def zygote_pid(self) -> int | None:
        """Return the zygote's process id."""
        return None if self._process is None else self._process.pid

    # -- the control socket -----------------------------------------------------------------------

    def _listen(self, control: socket.socket) -> None:
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(control, CONTROL_BYTES, 1)
            except OSError:
                data, descriptors = b"", []
            if not data:
                break
            self._take(json.loads(data), descriptors)
        self._zygote_ended()

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if message["op"] == "exit":
            with self._lock:
                worker = self._workers.get(message["pid"])
                if worker is None:
                    # Kept only for a worker that is still being adopted: process ids come again.
                    if message["pid"] in self._unadopted:
                        self._early_exits[message["pid"]] = message["status"]
                    return
            worker.exited(message["status"])
            return
        future = self._spawning.pop(message["id"])
        if message["op"] == "spawned":
            with self._lock:
                self._unadopted.add(message["pid"])
            future.set_result((message["pid"], descriptors[0]))
        else:
            future.set_exception(OutOfSlotsError(f"cannot start a worker: {message['reason']}"))

    def _zygote_ended(self) -> None:
        for future in list(self._spawning.values()):
            future.set_exception(ZygoteDiedError("the process that starts bots has ended"))
        self._spawning.clear()
        with self._lock:
            orphans = [worker for worker in self._workers.values() if worker.alive]
        for worker in orphans:
            worker.kill(Ending(Verdict.LOST, "was lost with the process that starts bots"))
            worker.exited(signal.SIGKILL)
        if not self._stopping and self._on_zygote_death is not None:
            self._on_zygote_death()

    # -- workers ----------------------------------------------------------------------------------

    def _spawn(self) -> Worker:
        uid = self._take_uid()
        down_read, down_write = os.pipe2(os.O_CLOEXEC)
        up_read, up_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(down_write, False)
        os.set_blocking(up_read, False)
        future: Future[tuple[int, int]] = Future()
        try:
            self._request(uid, [down_read, up_write], future)
            pid, pidfd = future.result(timeout=10)
        except BaseException as error:
            os.close(down_write)
            os.close(up_read)
            if uid is not None:
                self._slots.append(uid)
            if isinstance(error, OSError | TimeoutError):
                raise ZygoteDiedError("the process that starts bots has ended") from error
            raise
        finally:
            os.close(down_read)
            os.close(up_write)
        return self._adopt(pid, pidfd, (down_write, up_read), uid)

    def _request(self, uid: int | None, pipes: list[int], future: Future[tuple[int, int]]) -> None:
        with self._lock:
            if self._control is None:
                raise ZygoteDiedError("the sandbox is not running")
            self._next_id += 1
            self._spawning[self._next_id] = future
            request = json.dumps({"op": "spawn", "id": self._next_id, "uid": uid}).encode()
            socket.send_fds(self._control, [request], pipes)

    def _adopt(self, pid: int, pidfd: int, pipes: tuple[int, int], uid: int | None) -> Worker:
        def release() -> None:
            with self._lock:
                if self._workers.pop(pid, None) is not None and uid is not None:
                    self._slots.append(uid)

        worker = Worker(pid, pidfd, pipes, self.limits, release)
        with self._lock:
            self._workers[pid] = worker
            self._unadopted.discard(pid)
            status = self._early_exits.pop(pid, None)
        if status is not None:
            worker.exited(status)
        return worker

    def _take_uid(self) -> int | None:
        if os.geteuid() != 0:
            return None
        with self._lock:
            if not self._slots:
                raise OutOfSlotsError("every worker identity is in use; no more bots can start")
            return self._slots.pop(0)

    # -- what callers use -------------------------------------------------------------------------

    def check(self, source: bytes) -> Checked:
        """Have a throw-away locked child read and load a source once."""
        if len(source) > self.limits.source_bytes:
            limit = f"{self.limits.source_bytes // 1024} KiB"
            return refused(violation("source-too-large", 1, 1, limit).as_dict())
        worker = self._spawn()
        worker.allow_frame(self.limits.program_bytes)
        try:
            limit_cpu = self.limits.load_cpu
            ask = Ask(worker, Kind.CHECK, source, limit_cpu, limit_cpu, self.limits.load_wall)
            answer = gather([ask])[0]
            if worker.confinement:
                self.confinement = worker.confinement
        finally:
            worker.close()
        return read_checked(answer)

    def spawn(self, program: bytes, meta: bytes) -> tuple[Worker, Ask]:
        """Start a worker and return it with the request that loads the bot into it."""
        worker = self._spawn()
        cpu, wall = self.limits.load_cpu, self.limits.load_wall
        return worker, Ask(worker, Kind.START, pack_pair(meta, program), cpu, cpu, wall)
