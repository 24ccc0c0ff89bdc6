"""Busy-polls one worker over shared memory: the server's side of `shared_page`, for replays in lockstep.

For a thread that has nothing else to do, on a CPU that the worker does not use. Requests that take long, and every
reply that differs from the last one, go by the pipes, through `wait` like all others. `Pool(pages=False)` turns
shared pages off: then there is no channel, and `gather` asks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from sandbox.talk.protocol import Frame, Kind, encode, next_number
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest, reply_of
from sandbox.talk.shared_page import ANSWER, ASLEEP, BEGIN, LENGTH, LOOKS, QUESTION, ROOM, ROUNDS, WANTED, SharedPage
from sandbox.talk.verdict import Ending
from sandbox.talk.wait import WorkerSelector
from sandbox.talk.worker import Worker

_PATIENCE = range(len(LOOKS) * ROUNDS)
# Seconds: a reply may lie in the page unread for so long once polling has been given up.
_WAIT = 0.001


class PageChannel:
    """One worker, asked by one thread over the page that both share."""

    def __init__(self, worker: Worker, page: SharedPage) -> None:
        self.worker = worker
        self._page = page
        self._last = b""
        self._selector = WorkerSelector[None]()

    def begin(self, request: WorkerRequest) -> WorkerReply:
        """Send one request by the pipe, from which on the worker looks at the page, and return its reply.

        For a worker that has been asked by the pipe: the page says of a reply only that it is the last one again.
        """
        number, asked = next_number(), time.monotonic()
        self._page.words[WANTED] = 1
        self.worker.write(encode(request.kind, number, request.payload))
        return self._reply(request, number, asked, woken=True)

    def ask(self, request: WorkerRequest) -> WorkerReply:
        """Send one request and return its reply."""
        worker, page, payload, number = self.worker, self._page, request.payload, next_number()
        words, length, asked = page.words, len(payload), time.monotonic()
        before = words[ANSWER]
        if length > ROOM:
            self.stop_polling()
            worker.write(encode(request.kind, number, payload))
            return self._reply(request, number, asked, woken=True)
        page.memory[BEGIN : BEGIN + length] = payload
        words[WANTED], words[LENGTH], words[QUESTION] = 1, length, number
        if words[ASLEEP]:
            self._wake()
        for _ in _PATIENCE:
            if words[ANSWER] != before:
                break
        return self._reply(request, number, asked)

    def repeat(self, request: WorkerRequest, payloads: Iterator[bytes]) -> tuple[int, WorkerReply | None]:
        """Send one payload after the other while each reply is the expected one of `request`.

        Returns how many were, and the first reply that was not, if any. All payloads have one length. The hot loop
        of every lockstep replay: while the worker plays one tick the next one is prepared, and no further.
        """
        words, memory, monotonic, soft = self._page.words, self._page.memory, time.monotonic, request.soft
        payload, passed, began = next(payloads, None), 0, monotonic()
        if payload is None or self._last != request.expected_reply or len(payload) > ROOM:
            return 0, None
        words[LENGTH] = len(payload)
        place, before, asked = slice(BEGIN, BEGIN + len(payload)), words[ANSWER], began
        while payload is not None:
            number = next_number()
            memory[place] = payload
            words[QUESTION] = number
            payload = next(payloads, None)
            if words[ASLEEP]:
                self._wake()
            for _ in _PATIENCE:
                if words[ANSWER] != before:
                    break
            before, now = words[ANSWER], monotonic()
            # Less wall time than the soft limit cannot hold more CPU time.
            if before != number or now - asked > soft:
                self.worker.charge(now - began)
                return passed, self._reply(request, number, asked)
            asked = now
            passed += 1
        self.worker.charge(asked - began)
        return passed, None

    def stop_polling(self) -> None:
        """Have the worker sleep at its pipe until the next request."""
        self._page.words[WANTED] = 0

    def _reply(self, request: WorkerRequest, number: int, asked: float, *, woken: bool = False) -> WorkerReply:
        """Return the reply to the request that has just been written to the page, or to the pipe, which has `woken`."""
        worker = self.worker
        worker.expect(number, asked, request.hard)
        got = self._repeated(number) if self._page.words[ANSWER] == number else self._wait(request, number, woken=woken)
        now = time.monotonic()
        if isinstance(got, Frame) and got.payload == request.expected_reply and now - asked <= request.soft:
            return REPLY_AS_EXPECTED
        return reply_of(request, got, now)

    def _repeated(self, number: int) -> Frame:
        """Return the last reply again, as the worker says that it is the reply to this request too."""
        self.worker.waiting_for = None
        return Frame(Kind.REPLY, number, self._last)

    def _wait(self, request: WorkerRequest, number: int, *, woken: bool) -> Frame | Ending:
        """Wait for a reply that comes by the pipe, or late."""
        worker, words, selector = self.worker, self._page.words, self._selector
        # Whom the pipe has asked is awake, and one LOOK is enough: each costs the worker a round of polling.
        got = worker.receive()
        while got is None:
            if words[ANSWER] == number:
                return self._repeated(number)
            # It may have fallen asleep just after we looked.
            if words[ASLEEP] and not woken:
                woken = True
                self._wake()
            selector.watch(None, request)
            got = next((found for _, _, found, _ in selector.receive(_WAIT)), None)
        if isinstance(got, Frame) and got.kind is Kind.REPLY:
            self._last = got.payload
        return got

    def _wake(self) -> None:
        # What is still unsent wakes it too; for one that never reads, nothing more is queued.
        if not self.worker.unsent:
            self.worker.write(encode(Kind.LOOK, 0, b""))
