"""Starts and ends workers: one zygote, a control socket, and the identities workers run under."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sandbox.errors import OutOfSlotsError, SandboxError, SandboxUnavailableError, ZygoteDiedError
from sandbox.language.rules import violation
from sandbox.process.handle import ProcessHandle
from sandbox.process.identities import Identities, free_uids
from sandbox.process.launch import ZygoteLaunch, allow_descriptors, wait_for_exit
from sandbox.process.limits import Limits
from sandbox.process.spares import Spares
from sandbox.process.spawn import PipeEnds, SpawnRequest, open_ends
from sandbox.talk.checked import CheckResult, read_checked, refused
from sandbox.talk.gather import gather
from sandbox.talk.protocol import CONTROL, ForkRequest, Kind, Word, pack_pair
from sandbox.talk.request import WorkerRequest
from sandbox.talk.shared_page import can_share
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.worker import Worker
from sandbox.tuning.plan import TRICKS

# Seconds that a fork and its lock-down may take: far more than they do where other programs use all CPUs.
_FORK_WAIT = 30.0


class Pool:
    """All workers of one server; `start` belongs on a thread that lives as long as the pool."""

    def __init__(
        self,
        runtime: str,
        limits: Limits | None = None,
        on_zygote_death: Callable[[], None] | None = None,
        begun: ZygoteLaunch | None = None,
        *,
        pages: bool = False,
        tuned: bool = True,
    ) -> None:
        """Make a pool of workers that load `runtime`, as "module:name".

        `begun` is a zygote of this runtime that has been launched already, with tuning; `pages` shares a page of
        memory with each worker, for lockstep. Without `tuned`, nothing of `sandbox.tuning` runs and no spare
        children are kept.
        """
        self.limits = limits or Limits()
        self.confinement: dict[str, Any] = {"level": "none", "layers": [], "notes": []}
        self._runtime = runtime
        self._on_zygote_death = on_zygote_death
        self._tuned = tuned
        if begun is not None and not tuned:
            begun.drop()
            begun = None
        self._begun = begun
        self.pages = pages and can_share()
        self._lock = threading.Lock()
        self._workers: dict[int, Worker] = {}
        self._early_exits: dict[int, int] = {}
        self._unadopted: set[int] = set()
        self._listener: threading.Thread | None = None
        self._spawning: dict[int, Future[tuple[int, ProcessHandle]]] = {}
        self._next_id = 0
        self._spares = Spares(self._order)
        self._ended: socket.socket | None = None
        self._identities = Identities()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the zygote and prove on a first child that a bot can be locked down here."""
        if sys.platform != "linux":
            raise SandboxUnavailableError(
                "bots run on Linux only: this system has no seccomp. Use WSL2 or a Linux container (see README)."
            )
        self._identities = Identities(free_uids(self.limits) if os.geteuid() == 0 else None)
        allow_descriptors()
        self._launch()
        probe = self.check(b'NAME = "probe"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick):\n    pass\n')
        if not probe.accepted:
            self.stop()
            # The child's own sentence, out of the violation's around it.
            _, _, reason = str(probe.violations[0]["message"]).rpartition("Error: ")
            raise SandboxUnavailableError(f"Bots cannot run here: {reason}")

    def _launch(self) -> None:
        begun, self._begun = self._begun, None
        self._process, self._control = (begun or ZygoteLaunch(self._runtime, TRICKS if self._tuned else ())).finish(
            self.limits
        )
        self._listener = threading.Thread(target=self._listen, args=(self._control,), name="zygote", daemon=True)
        self._listener.start()

    def hang_up(self) -> None:
        """Tell all workers and the zygote to end; `stop` waits until they have."""
        self._stopping = True
        self._spares.stop()
        for worker in list(self._workers.values()):
            worker.close()
        if self._control is not None:
            self._control.shutdown(socket.SHUT_RDWR)
            self._control.close()
            self._control = None

    def stop(self) -> None:
        """End all workers and the zygote; nothing is left behind."""
        self.hang_up()
        if self._listener is not None:
            self._listener.join(timeout=3)
        if self._process is not None:
            wait_for_exit(self._process)
            self._process = None

    def restart_zygote(self) -> None:
        """Bring a new zygote up after the old one died; its workers are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        # The old listener must have handled its last message before workers of the new zygote are registered.
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
                data, descriptors, _, _ = socket.recv_fds(control, CONTROL.size, 1)
            except OSError:
                data, descriptors = b"", []
            if not data:
                break
            word, about, told = CONTROL.unpack(data)
            self._take(word, about, told, descriptors)
        self._zygote_ended(control)

    def _take(self, word: int, about: int, told: int, descriptors: list[int]) -> None:
        if word == Word.EXIT:
            self._take_exit(about, told)
            return
        future = self._spawning.pop(about)
        if word == Word.SPAWNED:
            with self._lock:
                self._unadopted.add(told)
            future.set_result((told, ProcessHandle(told, descriptors[0])))
        else:
            future.set_exception(OutOfSlotsError(f"cannot start a worker: {os.strerror(told)}"))

    def _take_exit(self, pid: int, status: int) -> None:
        with self._lock:
            worker = self._workers.get(pid)
            if worker is None:
                # Kept only for a worker that is still being adopted: process ids come again.
                if pid in self._unadopted:
                    self._early_exits[pid] = status
                return
        worker.exited(status)

    def _zygote_ended(self, control: socket.socket) -> None:
        with self._lock:
            self._ended = control
            orphans = [worker for worker in self._workers.values() if worker.alive]
            hopes = list(self._spawning.values())
            self._spawning.clear()
        for future in hopes:
            future.set_exception(ZygoteDiedError("the process that starts bots has ended"))
        for spare in self._spares.take_all():
            self._drop(spare)
        for worker in orphans:
            self._lose(worker)
        if not self._stopping and self._on_zygote_death is not None:
            self._on_zygote_death()

    @staticmethod
    def _lose(worker: Worker) -> None:
        worker.kill(Ending(Verdict.LOST, "was lost with the process that starts bots"))
        worker.exited(signal.SIGKILL)

    def keep_ready(self) -> None:
        """Keep spare children for the next sources to check and the next bots to run."""
        if self._tuned:
            self._spares.start()

    def _spawn(self, *, reader: bool = False) -> Worker:
        """Return a locked child, a spare one or a new one, and have the spares refilled."""
        worker = self._ready(self._spares.take(reader=reader)) or self._new()
        if self._tuned:
            self._spares.refill_soon()
        return worker

    def _new(self) -> Worker:
        try:
            return self._receive(self._order())
        except OutOfSlotsError:
            worker = self._ready(self._spares.take_either())
            if worker is None:
                raise
            return worker

    def _ready(self, order: SpawnRequest | None) -> Worker | None:
        if order is None:
            return None
        with contextlib.suppress(SandboxError):
            worker = self._receive(order)
            if worker.running and self._process is not None and self._process.poll() is None:
                return worker
            # It or the zygote ended while it was spare, before any bot ran in it.
            worker.close()
        return None

    def _order(self, reading: bool = False) -> SpawnRequest:  # noqa: FBT001, FBT002 - `Spares` orders by it
        """Order a child from the zygote; it forks and locks down meanwhile."""
        uid = self._identities.take()
        with contextlib.ExitStack() as undo:
            undo.callback(self._identities.give_back, uid)
            ends = open_ends(shared=self.pages and not reading)
            undo.callback(ends.close)
            try:
                order = self._request(uid, reading, ends)
            finally:
                ends.close_theirs()
            undo.pop_all()
            return order

    def _request(self, uid: int | None, reading: bool, ends: PipeEnds) -> SpawnRequest:  # noqa: FBT001
        with self._lock:
            if self._control is None or self._control is self._ended:
                raise ZygoteDiedError("the process that starts bots has ended")
            self._next_id += 1
            order = SpawnRequest(uid, self._control, ends)
            self._spawning[self._next_id] = order.future
            request = ForkRequest(self._next_id, uid, reading).pack()
            try:
                socket.send_fds(self._control, [request], ends.theirs)
            except OSError as error:
                del self._spawning[self._next_id]
                raise ZygoteDiedError("the process that starts bots has ended") from error
        return order

    def _receive(self, order: SpawnRequest) -> Worker:
        """Wait for a child that has been ordered."""
        try:
            pid, handle = order.future.result(timeout=_FORK_WAIT)
        except BaseException as error:
            self._drop(order)
            if isinstance(error, TimeoutError):
                raise ZygoteDiedError("the process that starts bots does not answer") from error
            raise
        return self._adopt(order, pid, handle)

    def _drop(self, order: SpawnRequest) -> None:
        pid = order.drop()
        if pid is not None:
            with self._lock:
                self._unadopted.discard(pid)
                self._early_exits.pop(pid, None)
        self._identities.give_back(order.uid)

    def _adopt(self, order: SpawnRequest, pid: int, handle: ProcessHandle) -> Worker:
        def release() -> None:
            with self._lock:
                known = self._workers.pop(pid, None)
            if known is not None:
                self._identities.give_back(order.uid)

        worker = Worker(pid, handle, order.ends, self.limits, release)
        with self._lock:
            self._workers[pid] = worker
            self._unadopted.discard(pid)
            status = self._early_exits.pop(pid, None)
            lost = order.control is self._ended
        if status is not None:
            worker.exited(status)
        if lost:
            self._lose(worker)
        return worker

    def check(self, source: bytes, meanwhile: Callable[[], object] | None = None) -> CheckResult:
        """Check a source in a locked child that is used once; `meanwhile` is called while it works."""
        if len(source) > self.limits.source_bytes:
            limit = f"{self.limits.source_bytes // 1024} KiB"
            return refused(violation("source-too-large", 1, 1, limit).as_dict())
        worker = self._spawn(reader=True)
        worker.allow_frame(self.limits.program_bytes)
        try:
            limit_cpu = self.limits.load_cpu
            ask = WorkerRequest(worker, Kind.CHECK, source, limit_cpu, limit_cpu, self.limits.load_wall)
            answer = gather([ask], meanwhile=meanwhile)[0]
            if worker.confinement:
                self.confinement = worker.confinement
        finally:
            worker.close()
        return read_checked(answer)

    def spawn(self, program: bytes, meta: bytes) -> tuple[Worker, WorkerRequest]:
        """Start a worker and return it with the request that loads the bot into it."""
        worker = self._spawn()
        return worker, self.start_request(worker, pack_pair(meta, program))

    def start_request(self, worker: Worker, payload: bytes = b"") -> WorkerRequest:
        """Return the request that loads a bot, with its limits; without a payload, to wait for one that was sent."""
        cpu, wall = self.limits.load_cpu, self.limits.load_wall
        return WorkerRequest(worker, Kind.START, payload, cpu, cpu, wall)
