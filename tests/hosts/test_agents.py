"""Who may join, under which lease, and what goes over the wire."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import Engine as Database
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from arena.engine.live.host_messages import HostResult, HostTick, Memory, OrderMade
from arena.engine.live.seat_host import HostLostError
from arena.errors import AuthError, ConflictError, NotFoundError, RefusedError, SettingsError
from arena.hosts import listener
from arena.hosts.agent import HostAgent
from arena.hosts.listener import HostListener, tls_context
from arena.hosts.wire import Envelope, Hello, decode, decode_rows, encode
from arena.runtime.version import runtime_hash
from arena.store.database import open_database
from arena.store.hosts import (
    HostState,
    add_host,
    drain_host,
    end_all_leases,
    end_lease,
    host_of,
    list_hosts,
    remove_host,
    renew_lease,
    take_lease,
)
from sandbox.pool import Pool
from tests.arenas import bot_source, until
from tests.engine.conftest import Steady
from tests.hosts.conftest import ROOM, Agents, Begin

EMPTY = HostResult(0, b"", [], [], [], [], [], [], [], [], [], [], 0.0, 0)


def hello(**more: Any) -> bytes:
    told = Hello("A", runtime_hash(), ROOM, 0)._replace(**more)
    return encode(Envelope("hello", 0, encode(told)))


def dial(agents: Agents, token: str) -> ClientConnection:
    return connect(agents.url, proxy=None, additional_headers={"Authorization": f"Bearer {token}"})


# -- leases


def test_each_lease_has_a_token_above_all_before_and_ends_the_older_one(database: Database) -> None:
    for name in ("one", "two"):
        add_host(database, name)
    first = take_lease(database, "one", 8.0, level="A", capacity=1)
    second = take_lease(database, "two", 8.0, level="B", capacity=2)
    third = take_lease(database, "one", 8.0, level="A", capacity=1)
    assert first < second < third
    assert renew_lease(database, "one", first, 8.0) is None
    assert renew_lease(database, "one", third, 8.0, bots=7) is HostState.JOINED
    end_lease(database, "one", first, HostState.LOST, "of long ago")
    rows = {row["name"]: row for row in list_hosts(database)}
    assert (rows["one"]["state"], rows["one"]["bots"], rows["one"]["fence"]) == ("joined", 7, third)
    assert "token_hash" not in rows["one"]
    drain_host(database, "two")
    assert renew_lease(database, "two", second, 8.0) is HostState.DRAINING
    end_all_leases(database, "the server was started anew")
    assert renew_lease(database, "one", third, 8.0) is None
    assert renew_lease(database, "two", second, 8.0) is None
    assert [row["state"] for row in list_hosts(database)] == ["left", "left"]


def test_a_token_is_of_one_host_until_this_is_removed(database: Database) -> None:
    token = add_host(database, "one")
    assert host_of(database, token) == "one"
    assert host_of(database, token + "x") is None
    assert host_of(database, "") is None
    fence = take_lease(database, "one", 8.0)
    with pytest.raises(ConflictError, match="There is a host 'one' already"):
        add_host(database, "one")
    with pytest.raises(RefusedError, match="small letters"):
        add_host(database, "One Two")
    remove_host(database, "one")
    assert host_of(database, token) is None
    assert renew_lease(database, "one", fence, 8.0) is None
    for act in (remove_host, drain_host):
        with pytest.raises(NotFoundError, match="'one'"):
            act(database, "one")


# -- joining


@pytest.mark.system
@pytest.mark.parametrize("token", ["", "arena_host_" + "x" * 43, "something else"])
def test_a_connection_without_a_hosts_token_is_refused_before_anything_is_read(agents: Agents, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        dial(agents, token)
    assert refused.value.response.status_code == 401


def test_two_tokens_in_one_request_are_none(agents: Agents, caplog: pytest.LogCaptureFixture) -> None:
    token = ("Authorization", f"Bearer {add_host(agents.database, 'one')}")
    with pytest.raises(InvalidStatus) as refused:
        connect(agents.url, proxy=None, additional_headers=[token, token]).__enter__()
    assert refused.value.response.status_code == 401
    assert "Traceback" not in caplog.text


def test_connections_that_show_nothing_are_few(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_OF_ADDRESS", 3)
    address = ("127.0.0.1", int(agents.url.rpartition(":")[2].partition("/")[0]))
    token = add_host(agents.database, "one")

    def joined() -> bool:
        try:
            with dial(agents, token):
                return True
        except (ConnectionClosed, InvalidHandshake, OSError):
            return False

    def refused() -> bool:
        # The listener counts those that came before a little later than they have connected.
        with ExitStack() as idle:
            for _ in range(3):
                idle.enter_context(socket.create_connection(address))
            return not joined()

    until(refused, "a host with a token to find no room")
    until(joined, "there is room again")


def test_a_machine_whose_token_is_unknown_is_told_so(agents: Agents, host_pools: list[Pool]) -> None:
    agent = HostAgent(agents.url, "arena_host_" + "x" * 43, host_pools[0], ROOM, "A")
    with pytest.raises(AuthError, match="arena hosts add"):
        agent.run()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"level": "none"}, "its bots would not be isolated"),
        ({"runtime": "of last year"}, "another version"),
        ({"fence": 3}, "lease 3 is over: end your bots, and join without it"),
    ],
)
def test_a_host_that_may_not_play_is_refused_in_a_sentence(agents: Agents, told: dict[str, Any], sentence: str) -> None:
    with dial(agents, add_host(agents.database, "one")) as connection:
        connection.send(hello(**told))
        answer = decode(bytes(connection.recv(timeout=60)), Envelope)  # type: ignore[arg-type]
    assert answer.kind == "refused"
    assert sentence in answer.content.decode()
    assert agents.links == {}
    assert list_hosts(agents.database)[0]["state"] == "added"


@pytest.mark.parametrize("first", [
    b"", b"\xc1", "words", encode(["hello"]), encode(Envelope("hello", 0, b"\x00")), hello(capacity=2**63),
    hello(capacity=-1), b"\x93\xa5hello\x00\xdd\x00\x0f\x42\x40" + b"\x90" * 1_000_000,
])  # fmt: skip
def test_a_first_message_of_another_form_ends_the_connection(agents: Agents, first: bytes | str) -> None:
    with dial(agents, add_host(agents.database, "one")) as connection:
        connection.send(first)
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=60)
    assert agents.links == {}


def test_the_same_host_connected_once_more_ends_the_first_lease(agents: Agents) -> None:
    token = add_host(agents.database, "one")
    with dial(agents, token) as first, dial(agents, token) as second:
        first.send(hello())
        before = agents.link("one")
        second.send(hello())
        after = agents.link("one", after=before.fence)
        assert before.closed.is_set()
        assert not after.closed.is_set()
        with pytest.raises(HostLostError, match="it has connected once more"):
            before.receive(60.0)


def test_what_a_host_says_under_another_lease_does_not_count(agents: Agents) -> None:
    with dial(agents, add_host(agents.database, "one")) as connection:
        connection.send(hello())
        link = agents.link("one")
        connection.send(encode(Envelope("result", link.fence - 1, encode(EMPTY))))
        with pytest.raises(ValueError, match=f"under lease {link.fence - 1}, and {link.fence} is in force"):
            link.receive(60.0)
        connection.send(encode(Envelope("result", link.fence, encode(EMPTY))))
        assert link.receive(60.0) == EMPTY


@pytest.mark.system
def test_a_host_that_was_given_up_ends_its_workers_and_joins_again(
    begin: Begin, agents: Agents, host_pools: list[Pool]
) -> None:
    agents.begin("one", host_pools[0])
    first = agents.link("one")
    hand = begin(Steady(), [first])
    hand.admit(bot_source())
    hand.tick(2)
    assert len(host_pools[0]._workers) == 1
    first.close("it was slow")
    second = agents.link("one", after=first.fence)
    assert second.fence > first.fence
    assert not host_pools[0]._workers
    until(lambda: ("one", "it was slow") in agents.gone or None, "the loss to be told")


def test_a_host_that_gives_no_answer_in_time_is_lost(agents: Agents) -> None:
    with dial(agents, add_host(agents.database, "one")) as connection:
        connection.send(hello())
        link = agents.link("one")
        with pytest.raises(HostLostError, match=r"no answer within 0\.1 s"):
            link.receive(0.1)


# -- TLS


def ignored(*_: object) -> None:
    """Take what a listener says of hosts that do not matter here."""


def certificate(folder: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1, made for this test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "arena.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_hosts_connect_by_tls_and_only_to_a_server_that_they_know(agents: Agents, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    attached: list[str] = []
    listener = HostListener(
        agents.database, ("127.0.0.1", 0), lambda link: attached.append(link.name), ignored, ignored,
        dict[str, dict[str, Any]], tls_context(str(pem), ""),
    )  # fmt: skip
    listener.start()
    try:
        url, headers = f"wss://127.0.0.1:{listener.port}", {"Authorization": f"Bearer {add_host(agents.database, 'x')}"}
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(url, ssl=ssl.create_default_context(), proxy=None, additional_headers=headers)
        known = ssl.create_default_context(cafile=str(pem))
        with connect(url, ssl=known, proxy=None, additional_headers=headers) as connection:
            connection.send(hello())
            assert decode(bytes(connection.recv(timeout=60)), Envelope).kind == "welcome"  # type: ignore[arg-type]
    finally:
        listener.stop()
    assert attached == ["x"]


def test_no_server_listens_for_hosts_in_the_clear_on_a_public_address(agents: Agents) -> None:
    for address in ("0.0.0.0", "192.0.2.1", "arena.example", "::"):
        with pytest.raises(SettingsError, match="without TLS"):
            HostListener(
                agents.database, (address, 0), ignored, ignored, ignored, dict[str, dict[str, Any]]
            )  # fmt: skip
    with pytest.raises(SettingsError, match="HOSTS_CERTIFICATE and HOSTS_KEY cannot be used"):
        tls_context("/nowhere.pem", "")


# -- the wire


@given(some.binary(max_size=200))
def test_bytes_that_are_no_result_are_a_sentence_and_never_anything_else(data: bytes) -> None:
    with pytest.raises(ValueError, match="message"):
        decode(data, HostResult)


@given(some.recursive(some.none() | some.integers(-9, 2**63) | some.text(max_size=3), some.lists, max_leaves=20))
def test_other_shapes_are_refused_the_same_way(shape: object) -> None:
    with pytest.raises(ValueError, match="message"):
        decode(bytes(msgpack.packb(shape)), HostResult)


LISTS = b"\x90" * (8 << 20)
LIES = {
    "a list of nothing": b"\xdd" + len(LISTS).to_bytes(4, "big") + LISTS,
    "rows of nothing": b"\x9e\x01\xc4\x00\xdd" + len(LISTS).to_bytes(4, "big") + LISTS + bytes(12),
    "a row of more than a row": b"\x9e\x01\xc4\x00\x91\x91\xdd" + len(LISTS).to_bytes(4, "big") + LISTS + bytes(11),
    "a row of many such": b"\x9e\x01\xc4\x00\x91\x98"
    + 8 * (b"\xdd" + (1 << 20).to_bytes(4, "big") + LISTS[: 1 << 20]) + bytes(11),
    "rows of ones": b"\x9e\x01\xc4\x00\x90\x90\x90\xdd" + (3 << 20).to_bytes(4, "big") + (3 << 20) * b"\x01" + bytes(8),
    "an envelope of it": b"\x93\xa6result\xdd" + len(LISTS).to_bytes(4, "big") + LISTS + b"\x00",
}  # fmt: skip


@pytest.mark.parametrize("told", LIES)
def test_a_long_lie_is_refused_before_much_of_it_is_unpacked(told: str) -> None:
    data = LIES[told]
    kind = Envelope if "envelope" in told else HostResult
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="message"):
            decode_rows(data, kind)  # type: ignore[type-var]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A copy of it, and of a piece; each list would have taken 56 bytes.
    assert most < 4 * len(data)


def test_a_long_answer_is_read_as_a_short_one_is() -> None:
    line = "x" * 100
    long = EMPTY._replace(
        n=7, values=bytes(2 << 20), logs=[(4, n, "INFO", line) for n in range(20_000)],
        memories=[Memory("one", bytes(3 << 20), ""), Memory("two", None, "it was at work")],
        orders=[OrderMade(1, 0, -1, 1.5, "BTCUSDT", "BUY", 0.1, "pending", None)],
    )  # fmt: skip
    assert decode_rows(encode(long), HostResult) == decode(encode(long), HostResult) == long


@pytest.mark.system
def test_a_host_that_sends_more_than_it_was_asked_for_is_lost_unread(agents: Agents) -> None:
    with dial(agents, add_host(agents.database, "one")) as connection:
        connection.send(hello())
        link = agents.link("one")
        link.send(HostTick(0, 0.0, {}, {}, {}, None, [], [], [], [], []), 1000)
        connection.send(encode(Envelope("result", link.fence, encode(EMPTY._replace(values=bytes(900))))))
        assert link.receive(60.0).values == bytes(900)
        link.send(HostTick(1, 0.0, {}, {}, {}, None, [], [], [], [], []), 1000)
        connection.send(encode(Envelope("result", link.fence, encode(EMPTY._replace(values=bytes(2000))))))
        with pytest.raises(HostLostError, match=r"more than the 1,000 bytes that its bots can say at a tick"):
            link.receive(60.0)


def test_doubles_come_over_with_every_bit() -> None:
    values = [0.1, 1e-310, float("inf"), -0.0, 1e308, 2.0**-1074]
    tick = HostTick(
        3, 0.1 + 0.2, {str(n): value for n, value in enumerate(values)}, {}, {"X": None}, 0.5, [], [], [], [], []
    )
    read = decode(encode(tick), HostTick)
    assert read == tick
    assert [value.hex() for value in read.prices.values()] == [value.hex() for value in values]


def test_the_table_is_there_on_a_database_that_was_brought_up_to_date(migrated_sqlite: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(migrated_sqlite.read_bytes())
    database = open_database(f"sqlite:///{copy}")
    assert list_hosts(database) == []
    database.dispose()
