"""Webhooks: a receiver on loopback, signatures, retries, and addresses that are never reached."""

from __future__ import annotations

import gzip
import ipaddress
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import func, insert, select

from arena.client import ApiError, Arena
from arena.errors import ArenaError, ConflictError, NotFoundError, RefusedError
from arena.people import tokens
from arena.people.accounts import add_user, disable_user, enable_user
from arena.store.bulk import insert_rows, table_of
from arena.store.database import open_database, upgrade
from arena.store.models import Trade
from arena.store.webhooks import WebhookDelivery
from arena.webhooks import registry, sending
from arena.webhooks.addresses import ForbiddenAddressError, check_url, is_public, resolve
from arena.webhooks.collecting import WAITING
from arena.webhooks.events import ASKED, EventKind, Happening
from arena.webhooks.notify import in_words
from arena.webhooks.outbox import DELIVERED, FAILED, PAUSES, Outbox
from arena.webhooks.sending import DeliveryError, send
from tests.arenas import BUYER, Running, bot_source, running, settings_for, until

DELIVERIES = table_of(WebhookDelivery)
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text("utf-8")
# Apprise asks for a module that Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@dataclass
class Receiver:
    """A web server that keeps what it is sent; `answers` are statuses, the last one again and again."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def events(self, kind: str) -> list[dict[str, Any]]:
        found = [json.loads(body) for _, body in self.got]
        return [one["data"] for one in found if one["type"] == kind]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = kept.answers[min(len(kept.got), len(kept.answers) - 1)]
            kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", f"{kept.url}/elsewhere")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://localhost:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An arena that may send to this machine."""
    folder = tmp_path_factory.mktemp("telling")
    with running(settings_for(folder, webhooks_private=True, trial_ticks=5), folder) as arena:
        yield arena


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    upgrade(opened)
    yield opened
    opened.dispose()


def holds(hook: dict[str, Any], headers: dict[str, str], body: bytes) -> bool:
    """Check a signature as the page on webhooks tells receivers to."""
    (snippet,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {}
    exec(compile(snippet, "docs/webhooks.md", "exec"), space)
    right = space["is_from_arena"](hook["secret"], headers, body)
    assert not space["is_from_arena"](hook["secret"], headers, body + b" ")
    return bool(right)


def test_the_page_names_every_event_and_every_pause() -> None:
    assert set(re.findall(r"^\| `([a-z.]+)`", PAGE, re.MULTILINE)) == set(EventKind)
    assert "5 s, 30 s, 2 min, 10 min, 1 h, 4 h and 12 h" in PAGE
    assert PAUSES == (5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600)


@pytest.mark.system
def test_what_happens_is_told_signed_and_once(telling: Running, receiver: Receiver) -> None:
    with Arena(telling.url) as arena:
        hook = arena.add_webhook(receiver.url)
        assert arena.test_webhook(hook["id"]) == {"delivered": True, "answer": "HTTP 200 ok"}
        bot = arena.upload(bot_source(BUYER, name="Told of"))
        arena.submit("please whistle a merry tune").wait(60)
        arena.upload(bot_source("raise ValueError('oh')", name="Wrong at times"))
        arena.upload(bot_source("global n\nn += 1\nwhile n > 8:\n    pass", name="Endless later", top="n = 0"))
        until(lambda: receiver.events("trade"), "a trade is told")
        until(lambda: receiver.events("rejected"), "a rejection is told")
        until(lambda: receiver.events("error"), "an error is told")
        until(lambda: receiver.events("quarantined"), "a quarantine is told")
        until(lambda: len(receiver.events("admitted")) >= 3, "every admission is told")
        telling.api("POST", "/seasons")
        until(lambda: receiver.events("season.end"), "the season's end is told")
        listed = until(
            lambda: next(
                (
                    one for one in arena.webhooks()
                    if one["id"] == hook["id"] and all(each["status"] == DELIVERED for each in one["deliveries"])
                ),
                None,
            ),
            "all is delivered",
        )  # fmt: skip
        assert "secret" not in listed
        arena.remove_webhook(hook["id"])
        assert arena.webhooks() == []
    assert receiver.events("trade")[0]["bot_id"] == bot["bot_id"]
    assert "whistle" in receiver.events("rejected")[0]["reason"]
    assert "Wrong at times" in {event["bot_name"] for event in receiver.events("error")}
    assert receiver.events("quarantined")[0]["bot_name"] == "Endless later"
    assert receiver.events("season.end") == [{**receiver.events("season.end")[0], "season": 1}]
    assert all(holds(hook, headers, body) for headers, body in receiver.got)
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert len(ids) == len(set(ids))
    assert receiver.got[0][0]["host"].startswith("localhost:")


@pytest.mark.system
def test_only_what_is_asked_for_is_told(telling: Running, receiver: Receiver) -> None:
    with Arena(telling.url) as arena:
        arena.upload(bot_source(BUYER, name="Other one"))
        wanted = arena.upload(bot_source(BUYER, name="Wanted one"))
        hook = arena.add_webhook(receiver.url, events=["trade", "admitted"], bot="Wanted one")
        more = arena.upload(bot_source(BUYER, name="One more"))
        until(lambda: telling.get(f"/bots/{more['bot_id']}/trades")["items"], "a trade of another")
        until(lambda: receiver.events("trade"), "a trade is told")
        arena.remove_webhook(hook["id"])
    assert {json.loads(body)["type"] for _, body in receiver.got} == {"trade"}
    assert {one["bot_id"] for one in receiver.events("trade")} == {wanted["bot_id"]}


def test_private_addresses_are_refused_unless_they_are_allowed(live: Running, receiver: Receiver) -> None:
    with Arena(live.url) as arena:
        hook = arena.add_webhook(receiver.url)
        found = arena.test_webhook(hook["id"])
        arena.remove_webhook(hook["id"])
    assert not found["delivered"]
    assert "WEBHOOKS_PRIVATE=on" in found["answer"]
    assert receiver.got == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"url": "ftp://example.org"}, "pip install|does not know"), ({"url": "https://"}, "names a host"),
        ({"url": "https://me:secret@example.org"}, "name or password"), ({"url": "https://a b"}, "no spaces"),
        ({"url": "https://example.org:99999"}, "no address"),
        ({"url": "https://e.org", "events": ["x"]}, "no event 'x'"),
        ({"url": "https://e.org", "bot": "nobody"}, "nobody"),
    ],
)  # fmt: skip
def test_what_is_no_webhook_is_refused_in_a_sentence(live: Running, body: dict[str, Any], said: str) -> None:
    with Arena(live.url) as arena, pytest.raises(ApiError, match=said):
        arena.write("POST", "/webhooks", body)


# -- addresses


@pytest.mark.parametrize("ip", [
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "::7f00:1", "fec0::1", "64:ff9b:1::7f00:1", "3fff::1",
    "192.0.0.192", "192.88.99.1",
])  # fmt: skip
def test_addresses_that_are_not_public(ip: str) -> None:
    assert not is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize("ip", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_addresses_that_are_public(ip: str) -> None:
    assert is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize("url", [
    "http://127.0.0.1/", "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/",
    "http://[::1]/", "http://localhost/",
    "http://[::ffff:127.0.0.1]:8000/", "http://0/", "http://169.254.169.254/latest/meta-data/",
])  # fmt: skip
def test_every_way_to_write_a_private_address_is_seen(url: str) -> None:
    check_url(url)
    with pytest.raises(ForbiddenAddressError):
        resolve(url, private=False)


def test_every_address_of_a_name_is_checked_and_the_checked_one_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that has a public and a private address is refused; else the address that was checked is given out."""
    answers = [["8.8.8.8", "127.0.0.1"], ["8.8.8.8"], ["127.0.0.1"]]

    def lookup(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(ForbiddenAddressError):
        resolve("https://rebind.example/", private=False)
    assert resolve("https://rebind.example/", private=False).ip == "8.8.8.8"
    # The third answer, which a second look-up would get, is never asked for.
    assert answers == [["127.0.0.1"]]


def test_a_host_that_is_not_found_is_told() -> None:
    with pytest.raises(ArenaError, match="is not found"):
        resolve("http://nothing.invalid/", private=True)


# -- the outbox


def put(database: Database, hook: dict[str, Any], count: int) -> None:
    rows = [
        {"id": f"msg_{n}", "webhook_id": hook["id"], "event": "trade", "data": {"n": n}, "created_at": float(n),
         "status": WAITING, "tries": 0, "due_at": 0.0, "answer": ""}
        for n in range(count)
    ]  # fmt: skip
    with database.begin() as connection:
        connection.execute(insert(DELIVERIES), rows)


def states(database: Database) -> list[tuple[str, int]]:
    with database.connect() as connection:
        query = select(DELIVERIES.c.status, DELIVERIES.c.tries).order_by(DELIVERIES.c.id)
        return [(row.status, row.tries) for row in connection.execute(query)]


def sent(database: Database, pauses: tuple[float, ...], wanted: list[tuple[str, int]]) -> None:
    outbox = Outbox(database, private=True, pauses=pauses)
    outbox.start()
    try:
        until(lambda: states(database) == wanted, str(wanted))
    finally:
        outbox.stop()


def test_what_is_not_taken_is_sent_again_in_order(database: Database, receiver: Receiver) -> None:
    receiver.answers = [500, 302, 204]
    hook = registry.add_webhook(database, receiver.url, [], owner_id=None)
    put(database, hook, 2)
    sent(database, (0.0, 0.0, 0.0), [(DELIVERED, 3), (DELIVERED, 1)])
    assert [event["n"] for event in receiver.events("trade")] == [0, 0, 0, 1]
    assert {headers["webhook-id"] for headers, _ in receiver.got[:3]} == {"msg_0"}


def test_a_dead_receiver_is_given_up_and_a_restart_goes_on(database: Database, receiver: Receiver) -> None:
    receiver.answers = [500]
    hook = registry.add_webhook(database, receiver.url, [], owner_id=None)
    put(database, hook, 1)
    # After the first failure it waits an hour, over the end of the server.
    sent(database, (3600.0,), [(WAITING, 1)])
    with database.begin() as connection:
        connection.execute(DELIVERIES.update().values(due_at=0.0))
    sent(database, (3600.0,), [(FAILED, 2)])
    (shown,) = registry.list_webhooks(database)
    assert shown["deliveries"][0]["answer"] == "HTTP 500 ok"


@contextmanager
def answering(*pieces: bytes, then_wait: bool = False) -> Iterator[str]:
    """A server that answers one request with these bytes, and may then say nothing more until the end."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            for piece in pieces:
                connection.sendall(piece)
            if then_wait:
                over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as beside:
        serving = beside.submit(serve)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            over.set()
            serving.result(60)


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\nx: y\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"]
)
def test_a_receiver_that_never_ends_holds_nothing_up(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_SECONDS", 0.3)
    with answering(begun, then_wait=True) as url, pytest.raises(DeliveryError, match="has not answered within"):
        send(url, "whsec_QUJD", "msg_1", "trade", {}, at=0.0, private=True)


def test_a_packed_answer_is_not_unpacked() -> None:
    packed = gzip.compress(b"0" * 5_000_000)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n".encode()
    with answering(head, packed) as url:
        said = send(url, "whsec_QUJD", "msg_1", "trade", {}, at=0.0, private=True)
    assert "000" not in said


def test_a_disabled_user_is_told_of_nothing_more(database: Database) -> None:
    ada = add_user(database, "ada")
    hooks = [registry.add_webhook(database, "https://e.org", [], owner_id=each)["id"] for each in (None, ada.id)]
    assert [row["id"] for row in registry.rows_to_tell(database)] == hooks
    disable_user(database, ada.id)
    assert [row["id"] for row in registry.rows_to_tell(database)] == hooks[:1]


def test_who_is_let_in_again_is_not_told_of_trades_before(database: Database) -> None:
    ada = add_user(database, "ada")
    registry.add_webhook(database, "https://e.org", [], owner_id=ada.id)
    trade = {
        "time": 1e9, "bot_name": "A", "symbol": "BTCUSDT", "side": "BUY", "size": 1.0, "price": 1.0, "cash_after": 1.0,
        "position_after": 1.0, "fee": 0.0, "realized_pnl": 0.0, "season_id": "s", "bot_id": "b", "tick": 1,
    }  # fmt: skip
    disable_user(database, ada.id)
    with database.begin() as connection:
        insert_rows(connection, Trade, [trade])
    enable_user(database, ada.id)
    [hook] = registry.rows_to_tell(database)
    with database.connect() as connection:
        assert hook["after_trade"] == connection.execute(select(func.max(table_of(Trade).c.id))).scalar_one()
    # Who was never away keeps the place.
    with database.begin() as connection:
        insert_rows(connection, Trade, [{**trade, "tick": 2}])
    enable_user(database, ada.id)
    assert registry.rows_to_tell(database) == [hook]


def test_of_many_at_once_no_more_webhooks_and_tokens_come_to_be_than_fit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_WEBHOOKS", 2)
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    ada = add_user(database, "ada")

    def add(number: int) -> bool:
        try:
            if number % 2:
                registry.add_webhook(database, "https://e.org", [], owner_id=ada.id)
            else:
                tokens.make_token(database, ada, "x", ["read"])
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(add, range(24))) == 4


def test_an_owner_has_so_many_webhooks(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_WEBHOOKS", 1)
    registry.add_webhook(database, "https://example.org", [], owner_id="ada")
    registry.add_webhook(database, "https://example.org", [], owner_id="bob")
    with pytest.raises(ArenaError, match="remove one first"):
        registry.add_webhook(database, "https://example.org", [], owner_id="ada")
    assert [row["owner_id"] for row in registry.list_rows(database, "ada")] == ["ada"]


def test_other_services_are_an_admins_and_their_addresses_are_hidden(database: Database) -> None:
    pytest.importorskip("apprise", reason="the extra 'notify' is not installed")
    url = "tgram://123456789:abcdefg_hijklmnop/12315544/"
    with pytest.raises(RefusedError, match="Only an admin"):
        registry.add_webhook(database, url, [], owner_id="ada")
    with pytest.raises(NotFoundError, match="does not know"):
        registry.add_webhook(database, "nonsense://x", [], owner_id=None, services=True)
    registry.add_webhook(database, url, [], owner_id=None, services=True)
    assert registry.list_webhooks(database)[0]["url"] == "tgram://…"


def test_a_service_gets_a_sentence(database: Database, receiver: Receiver) -> None:
    pytest.importorskip("apprise", reason="the extra 'notify' is not installed")
    url = receiver.url.replace("http://", "json://")
    hook = registry.add_webhook(database, url, [], owner_id=None, services=True)
    outbox = Outbox(database, private=True)
    try:
        assert outbox.test(hook["id"]) == {"delivered": True, "answer": "sent"}
    finally:
        outbox.stop()
    assert json.loads(receiver.got[0][1])["message"] == "This is a test."


# -- for whom


@pytest.mark.parametrize(
    ("owner", "bot", "events", "told"),
    [
        (None, None, [], True), ("ada", None, [], True), ("bob", None, [], False), ("bob", "b", [], True),
        ("ada", "other", [], False), (None, None, ["trade"], True), (None, None, ["rank"], False),
    ],
)  # fmt: skip
def test_whom_an_event_is_for(owner: str | None, bot: str | None, events: list[str], told: bool) -> None:  # noqa: FBT001
    trade = Happening(EventKind.TRADE, {}, "b", "ada")
    assert trade.is_for(owner, bot, events) == told


def test_a_seasons_end_is_for_everybody() -> None:
    assert Happening(EventKind.SEASON_END, {}).is_for("bob", "other", [])
    assert not Happening(EventKind.SEASON_END, {}).is_for("bob", None, ["trade"])


@pytest.mark.parametrize("event", [*ASKED, "test"])
def test_every_event_has_words(event: str) -> None:
    assert in_words(event, {"bot_name": "A"}).endswith((".", "None"))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, content: str | None
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    sending._authorities.cache_clear()
    with pytest.raises(DeliveryError, match=r"SSL_CERT_FILE.* cannot be read"):
        send(receiver.url, f"whsec_{'A' * 32}", "msg_1", "test", {}, at=0.0, private=True)
    assert receiver.got == []
    monkeypatch.undo()
    assert send(receiver.url, f"whsec_{'A' * 32}", "msg_1", "test", {}, at=0.0, private=True) == "HTTP 200 ok"
