"""Asks one worker over the page it shares with us, again and again, and looks until the answer is there.

For a thread that has nothing else to do and a CPU that the worker does not want. What takes long, and all that
is not as before, goes by the pipes and the clocks of the barrier.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator

from sandbox.talk.protocol import Frame, Kind, encode, next_number
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest, end_if_overdue, evaluate_reply
from sandbox.talk.shared_page import ANSWER, ASLEEP, BEGIN, LENGTH, LOOKS, QUESTION, ROOM, ROUNDS, WANTED, SharedPage
from sandbox.talk.verdict import Ending
from sandbox.talk.worker import Worker

_PATIENCE = range(len(LOOKS) * ROUNDS)
# Milliseconds: so long an answer may lie in the page unseen once looking has been given up.
_WAIT = 1


class PageChannel:
    """One worker, asked by one thread; `page` is the one they share."""

    def __init__(self, worker: Worker, page: SharedPage) -> None:
        self.worker = worker
        self._page = page
        self._last = b""

    def ask(self, ask: WorkerRequest) -> WorkerReply:
        """Have a question answered."""
        worker, page, payload, number = self.worker, self._page, ask.payload, next_number()
        words, length, asked = page.words, len(payload), time.monotonic()
        before = words[ANSWER]
        if length > ROOM:
            self.rest()
            worker.write(encode(ask.kind, number, payload))
            return self._answer(ask, number, asked)
        page.memory[BEGIN : BEGIN + length] = payload
        words[WANTED], words[LENGTH], words[QUESTION] = 1, length, number
        if words[ASLEEP]:
            self._wake()
        for _ in _PATIENCE:
            if words[ANSWER] != before:
                break
        return self._answer(ask, number, asked)

    def repeat(self, ask: WorkerRequest, questions: Iterator[bytes]) -> tuple[int, WorkerReply | None]:
        """Ask one question after the other as long as the answers are those that `ask` has as usual.

        Returns how many were, and the answer that was not, if any. All are of one length. The hot loop of every
        lockstep replay: while the worker plays one tick, the next one is made ready, and no further.
        """
        words, memory, monotonic, soft = self._page.words, self._page.memory, time.monotonic, ask.soft
        question, passed, began = next(questions, None), 0, monotonic()
        if question is None or self._last != ask.usual or len(question) > ROOM:
            return 0, None
        words[LENGTH] = len(question)
        place, before, asked = slice(BEGIN, BEGIN + len(question)), words[ANSWER], began
        while question is not None:
            number = next_number()
            memory[place] = question
            words[QUESTION] = number
            question = next(questions, None)
            if words[ASLEEP]:
                self._wake()
            for _ in _PATIENCE:
                if words[ANSWER] != before:
                    break
            before, now = words[ANSWER], monotonic()
            # Less wall time than the soft limit cannot hold more CPU time.
            if before != number or now - asked > soft:
                self.worker.charge(now - began)
                return passed, self._answer(ask, number, asked)
            asked = now
            passed += 1
        self.worker.charge(asked - began)
        return passed, None

    def rest(self) -> None:
        """Have the worker look no more, until it is asked again."""
        self._page.words[WANTED] = 0

    def _answer(self, ask: WorkerRequest, number: int, asked: float) -> WorkerReply:
        """Return what is answered to the question that has been put."""
        worker = self.worker
        worker.expect(number, asked, ask.hard)
        got = self._again(number) if self._page.words[ANSWER] == number else self._wait(ask, number)
        if isinstance(got, Ending):
            return WorkerReply(got.verdict, None, got.reason, 0.0)
        now = time.monotonic()
        if got.payload == ask.usual and now - asked <= ask.soft:
            return REPLY_AS_EXPECTED
        return evaluate_reply(ask, got, now)

    def _again(self, number: int) -> Frame:
        """Return the last answer, of which the worker says that it is this one's, too."""
        self.worker.waiting_for = None
        return Frame(Kind.REPLY, number, self._last)

    def _wait(self, ask: WorkerRequest, number: int) -> Frame | Ending:
        """Wait for what comes by the pipe, or late."""
        worker, words = self.worker, self._page.words
        waiting = select.poll()
        waiting.register(worker.fileno(), select.POLLIN)
        # Whom the pipe has asked need not be woken, and nobody twice: each time costs it some looking about.
        woken = len(ask.payload) > ROOM
        while True:
            got = worker.receive()
            if isinstance(got, Frame) and got.kind is Kind.REPLY:
                self._last = got.payload
            if got is not None:
                return got
            if words[ANSWER] == number:
                return self._again(number)
            # It may have fallen asleep just as we looked.
            if words[ASLEEP] and not woken:
                woken = True
                self._wake()
            worker.flush()
            if not waiting.poll(_WAIT):
                end_if_overdue(ask, time.monotonic())

    def _wake(self) -> None:
        # What has not been sent yet wakes it, too; one that never reads does not make us heap up more.
        if not self.worker.unsent:
            self.worker.write(encode(Kind.LOOK, 0, b""))
