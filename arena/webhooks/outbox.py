"""Sends what waits in the outbox: again and again with growing pauses, each receiver in its own turn."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Engine, delete, select, update

from arena.core.text import clean_line
from arena.errors import ArenaError
from arena.store.bulk import Row, table_of
from arena.store.seasons import new_id
from arena.store.webhooks import WebhookDelivery
from arena.webhooks.collecting import WAITING, Collector
from arena.webhooks.events import EventKind
from arena.webhooks.notify import is_service, notify
from arena.webhooks.registry import get_webhook, rows_to_tell
from arena.webhooks.sending import send

log = logging.getLogger("arena.webhooks")

PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0, 4 * 3600.0, 12 * 3600.0)  # after each try that failed; then it is over
DELIVERED, FAILED = "delivered", "failed"
_EVERY = 1.0  # seconds between two looks
_AT_ONCE = 8  # receivers
_BATCH = 50
_KEPT = 7 * 86400.0  # seconds that a delivery is shown after its end
_PRUNE_EVERY = 3600.0
_DELIVERIES = table_of(WebhookDelivery)


class Outbox:
    """The thread that collects events and has them sent; it does next to nothing while there is no webhook."""

    def __init__(self, database: Engine, *, private: bool, pauses: tuple[float, ...] = PAUSES) -> None:
        """`private`: addresses of private networks are sent to as well."""
        self._database = database
        self._private = private
        self._pauses = pauses
        self._collector = Collector(database)
        self._stopped = threading.Event()
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "webhook")
        self._thread = threading.Thread(target=self._main_loop, name="webhooks")
        self._pruned = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is sent after the next start."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def _main_loop(self) -> None:
        idle = False
        while not self._stopped.wait(_EVERY):
            try:
                hooks = rows_to_tell(self._database)
                if hooks:
                    self._collector.collect(hooks)
                    self._send_due(hooks)
                elif not idle:
                    self._collector.forget()
                idle = not hooks
                self._prune()
            except Exception:
                log.exception("Webhooks could not be told of events because of a fault of ours")

    def _send_due(self, hooks: list[Row]) -> None:
        due = select(_DELIVERIES.c.webhook_id).distinct()
        due = due.where(_DELIVERIES.c.status == WAITING, _DELIVERIES.c.due_at <= time.time())
        with self._database.connect() as connection:
            wanted = set(connection.execute(due).scalars())
        for hook in hooks:
            with self._lock:
                if hook["id"] not in wanted or hook["id"] in self._busy:
                    continue
                self._busy.add(hook["id"])
            self._pool.submit(self._send_to, hook)

    def _send_to(self, hook: Row) -> None:
        """Send what is due to one receiver, in order; where it fails, all that waits for it waits longer."""
        try:
            due = select(_DELIVERIES).where(
                _DELIVERIES.c.webhook_id == hook["id"], _DELIVERIES.c.status == WAITING,
                _DELIVERIES.c.due_at <= time.time(),
            ).order_by(_DELIVERIES.c.created_at, _DELIVERIES.c.id).limit(_BATCH)  # fmt: skip
            with self._database.connect() as connection:
                rows = [dict(row) for row in connection.execute(due).mappings()]
            for row in rows:
                if self._stopped.is_set() or not self._tried(hook, row):
                    return
        except Exception:
            log.exception("A webhook could not be sent to because of a fault of ours")
        finally:
            with self._lock:
                self._busy.discard(hook["id"])

    def _tried(self, hook: Row, row: Row) -> bool:
        try:
            answer = self._send(hook, row["id"], row["event"], row["data"], row["created_at"])
        except ArenaError as error:
            self._failed(row, clean_line(str(error), 500))
            return False
        self._store(row["id"], status=DELIVERED, tries=row["tries"] + 1, answer=answer)
        return True

    def _send(self, hook: Row, name: str, event: str, data: dict[str, Any], at: float) -> str:
        if is_service(hook["url"]):
            return notify(hook["url"], event, data)
        return send(hook["url"], hook["secret"], name, event, data, at=at, private=self._private)

    def _failed(self, row: Row, answer: str) -> None:
        tries = row["tries"] + 1
        if tries > len(self._pauses):
            log.warning("An event '%s' was not taken in %d tries: %s", row["event"], tries, answer)
            self._store(row["id"], status=FAILED, tries=tries, answer=answer)
            return
        due = time.time() + self._pauses[tries - 1]
        self._store(row["id"], tries=tries, answer=answer)
        with self._database.begin() as connection:
            connection.execute(
                update(_DELIVERIES)
                .where(
                    _DELIVERIES.c.webhook_id == row["webhook_id"], _DELIVERIES.c.status == WAITING,
                    _DELIVERIES.c.due_at < due,
                )
                .values(due_at=due)
            )  # fmt: skip

    def _store(self, name: str, **values: Any) -> None:
        with self._database.begin() as connection:
            connection.execute(update(_DELIVERIES).where(_DELIVERIES.c.id == name).values(**values))

    def test(self, webhook_id: str) -> dict[str, Any]:
        """Send an event `test` now, once, and return whether it was taken and what was answered."""
        hook = get_webhook(self._database, webhook_id)
        try:
            answer = self._send(hook, f"msg_{new_id()}", EventKind.TEST, {"webhook_id": webhook_id}, time.time())
        except ArenaError as error:
            return {"delivered": False, "answer": clean_line(str(error), 500)}
        return {"delivered": True, "answer": answer}

    def _prune(self) -> None:
        now = time.time()
        if now - self._pruned < _PRUNE_EVERY:
            return
        self._pruned = now
        with self._database.begin() as connection:
            connection.execute(
                delete(_DELIVERIES).where(_DELIVERIES.c.status != WAITING, _DELIVERIES.c.created_at < now - _KEPT)
            )
