"""The door: hosts, origins, the token, sizes, and what answers never say."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
from collections.abc import Iterator

import httpx2
import pytest

from arena.web import security
from arena.web.security import FREE_GUESSES, LONGEST_WAIT, Guesses, Tokens, session_value
from tests.arenas import PATIENCE, Running, bot_source
from tests.conftest import TOKEN

BEARER = {"authorization": f"Bearer {TOKEN}"}


def detail(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]", "0.0.0.0", "[::1].evil.example",
        "[::1]evil.example", "[::1]:80.evil.example", "[::1", "::1]", "localhost:80:80", "localhost:", "localhost:x",
        "localhost evil.example", "evil.example@localhost", "localhost/evil", "", "[::1]:", "localhost:1234567",
    ],
)  # fmt: skip
def test_a_foreign_host_name_gets_nothing(live: Running, host: str) -> None:
    answer = live.client.get("/api/v1/status", headers={"host": host})
    assert "ALLOWED_HOSTS" in detail(answer, 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"])
def test_loopback_names_are_known(live: Running, host: str) -> None:
    assert live.client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://["}, {"origin": ""},
        {"origin": "http://127.0.0.1:1"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
    ],
)  # fmt: skip
def test_pages_of_other_sites_may_not_write(live: Running, headers: dict[str, str]) -> None:
    answer = live.api("POST", "/bots/check", json={"source": ""}, headers=headers)
    assert "another site" in detail(answer, 403)
    assert live.api("GET", "/status", headers=headers).status_code == 200


def test_the_own_page_may_write(live: Running) -> None:
    headers = {"origin": live.url, "sec-fetch-site": "same-origin"}
    assert live.api("POST", "/bots/check", json={"source": ""}, headers=headers).status_code == 200


_addresses = itertools.count(2)


def client_at(arena: Running, address: str) -> httpx2.Client:
    """Return a client that comes from an address of its own."""
    transport = httpx2.HTTPTransport(local_address=address)
    return httpx2.Client(base_url=arena.url, transport=transport, trust_env=False, timeout=PATIENCE)


@pytest.fixture
def stranger(guarded: Running) -> Iterator[httpx2.Client]:
    """A client from an address that nobody has come from: wrong tokens are counted by address."""
    with client_at(guarded, new_address()) as client:
        yield client


def new_address() -> str:
    number = next(_addresses)
    return f"127.1.{number // 200}.{number % 200 + 1}"


WRITES = [
    ("POST", "/strategies"), ("POST", "/bots"), ("POST", "/bots/check"), ("POST", "/bots/x/pause"),
    ("POST", "/bots/x/resume"), ("DELETE", "/bots/x"), ("POST", "/seasons/close"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}, {"authorization": TOKEN},
        {"cookie": "arena_session=wrong"}, {"cookie": f"arena_session={TOKEN}"},
        {"authorization": "Bearer"}, {"authorization": b"Bearer \xff\xfe"},
    ],
)  # fmt: skip
def test_no_write_passes_without_the_token(
    stranger: httpx2.Client, method: str, path: str, headers: dict[str, str | bytes]
) -> None:
    answer = stranger.request(method, f"/api/v1{path}", json={"prompt": "x", "source": ""}, headers=headers)
    assert "token" in detail(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_opens_as_a_bearer(guarded: Running, own_name: str) -> None:
    body = {"source": bot_source(name=own_name)}
    assert guarded.api("POST", "/bots", json=body, headers=BEARER).status_code == 201


@pytest.fixture
def session(guarded: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=guarded.url, trust_env=False, timeout=PATIENCE) as client:
        answer = client.post("/api/v1/session", json={"token": TOKEN})
        assert (answer.status_code, answer.content) == (204, b"")
        yield client


def test_a_session_cookie_opens_and_is_not_the_token(session: httpx2.Client) -> None:
    (cookie,) = session.cookies.jar
    assert cookie.value != TOKEN
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite").lower() == "strict"
    assert session.post("/api/v1/bots/check", json={"source": ""}).status_code == 200


def test_a_session_does_not_help_another_sites_page(session: httpx2.Client) -> None:
    headers = {"origin": "http://evil.example"}
    assert session.post("/api/v1/bots/check", json={"source": ""}, headers=headers).status_code == 403
    assert session.post("/api/v1/session", json={"token": TOKEN}, headers=headers).status_code == 403


@pytest.mark.parametrize("token", ["", "wrong", "\N{SNOWMAN}", TOKEN + " "])
def test_a_wrong_token_gives_no_session(stranger: httpx2.Client, token: str) -> None:
    answer = stranger.post("/api/v1/session", json={"token": token})
    assert "token" in detail(answer, 401)
    assert "set-cookie" not in answer.headers


def test_a_broken_token_is_a_problem_of_the_caller(guarded: Running) -> None:
    answer = guarded.client.post(
        "/api/v1/session", content=b'{"token": "\\ud800"}', headers={"content-type": "application/json"}
    )
    assert answer.status_code in {401, 422}


def test_an_open_arena_has_no_sessions(live: Running) -> None:
    assert live.client.post("/api/v1/session", json={"token": ""}).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/api/v1/status", "/api/v1/bots",
        "/api/v1/leaderboard", "/api/v1/seasons", "/api/v1/prices", "/api/v1/trades",
    ],
)  # fmt: skip
def test_reads_are_public_and_never_say_the_token(guarded: Running, path: str) -> None:
    answer = guarded.client.get(path)
    assert answer.status_code == 200
    assert TOKEN not in answer.text + str(answer.headers)


BIG = json.dumps({"source": "x" * (257 * 1024), "prompt": "x" * (257 * 1024), "token": "x" * (257 * 1024)}).encode()
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("path", ["/strategies", "/bots", "/bots/check", "/session"])
def test_a_large_body_is_refused(live: Running, path: str) -> None:
    assert "256 KiB" in detail(live.api("POST", path, content=BIG, headers=JSON), 413)


@pytest.mark.parametrize("path", ["/strategies", "/bots", "/bots/check", "/session"])
def test_a_large_body_without_a_length_is_refused_too(live: Running, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (BIG[at : at + 65_536] for at in range(0, len(BIG), 65_536))

    assert "256 KiB" in detail(live.api("POST", path, content=chunks(), headers=JSON), 413)


def test_a_large_form_is_refused_also_in_chunks(live: Running) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n'
        yield from (b"x" * 65_536 for _ in range(5))
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert "256 KiB" in detail(live.api("POST", "/bots", content=chunks(), headers=headers), 413)


def test_a_body_that_lies_about_its_length_does_no_harm(live: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(live.url.rpartition(":")[2]), timeout=PATIENCE)
    connection.putrequest("POST", "/api/v1/bots/check")
    connection.putheader("content-length", "9" * 20)
    connection.endheaders()
    connection.close()
    assert live.client.get("/healthz").status_code == 200


def test_answers_carry_the_headers_that_browsers_obey(live: Running) -> None:
    for path in ("/", "/api/v1/status", "/nothing"):
        headers = live.client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_refusals_are_dressed_like_other_answers(live: Running) -> None:
    answer = live.client.get("/", headers={"host": "evil.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"


HOSTILE = [
    "<script>alert(1)</script>", "=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)",
    "\x1b[2Jred", "a\u202eb\u200bc", "tab\tin", "line\nbreak", '"quoted", comma',
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_come_out_clean(live: Running, name: str, own_name: str) -> None:
    unique = f"{name} {own_name}"
    bot = live.upload(bot_source(name=unique), author=name)
    try:
        for shown in (bot["name"], bot["author"]):
            assert shown.isprintable()
            assert not any(mark in shown for mark in "\x1b\u202e\u200b\n\t")
        csv_text = live.api("GET", "/leaderboard?limit=1000", headers={"accept": "text/csv"}).text
        import csv
        import io

        (row,) = [row for row in csv.DictReader(io.StringIO(csv_text)) if row["bot_id"] == bot["bot_id"]]
        assert row["name"].lstrip("'") == bot["name"]
        assert row["name"][0] not in "=+-@\t"
        assert row["author"][0] not in "=+-@\t"
        page = live.client.get("/")
        assert "<script>alert" not in page.text
    finally:
        live.api("DELETE", f"/bots/{bot['bot_id']}")


@pytest.mark.parametrize("name", ["\u202e\u200b", " ", "\x1b"])
def test_a_name_of_nothing_visible_is_refused(live: Running, name: str) -> None:
    assert live.api("POST", "/bots", json={"source": bot_source(name=name)}).status_code == 422


def test_two_host_names_are_refused(live: Running) -> None:
    answer = asked(live, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def asked(arena: Running, request: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the server hangs up or has answered."""
    with socket.create_connection(("127.0.0.1", int(arena.url.rpartition(":")[2])), timeout=PATIENCE) as line:
        line.sendall(request)
        return line.recv(65_536)


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no wait of a guesser pass, however slow the machine is."""
    monkeypatch.setattr(security, "_now", lambda: 1000.0)


@pytest.mark.usefixtures("standing_clock")
def test_wrong_tokens_have_to_wait_longer_each_time(guarded: Running, stranger: httpx2.Client) -> None:
    def guess(**headers: str) -> httpx2.Response:
        return stranger.post("/api/v1/bots/check", json={"source": ""}, headers=headers)

    kinds = ({"authorization": "Bearer wrong"}, {"cookie": f"arena_session={session_value('wrong')}"})
    answers = [guess(**kinds[n % 2]) for n in range(FREE_GUESSES + 1)]
    assert [answer.status_code for answer in answers] == [401] * FREE_GUESSES + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    # The right one is not looked at either: else a guess would still tell.
    assert detail(guess(authorization=f"Bearer {TOKEN}"), 429).startswith("Too many wrong tokens")
    assert stranger.post("/api/v1/session", json={"token": TOKEN}).status_code == 429
    assert stranger.get("/api/v1/status").status_code == 200
    # Others are not kept out: from an address that no other test has guessed from.
    with client_at(guarded, new_address()) as other:
        assert other.post("/api/v1/bots/check", json={"source": ""}, headers=BEARER).status_code == 200


@pytest.mark.usefixtures("standing_clock")
def test_the_wait_doubles_up_to_a_bound_and_ends_with_the_right_token() -> None:
    guesses = Guesses(free=2)
    guesses.wrong("a")
    assert guesses.wait("a") == 0
    waits = []
    for _ in range(30):
        guesses.wrong("a")
        waits.append(guesses.wait("a"))
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST_WAIT
    assert guesses.wait("b") == 0
    guesses.right("a")
    assert guesses.wait("a") == 0


@pytest.mark.usefixtures("standing_clock")
def test_addresses_that_a_proxy_makes_up_do_not_help_a_guesser() -> None:
    tokens = Tokens(TOKEN)

    def guess(client: str, peer: str) -> int:
        scope = {"client": (client, 1), "state": {"peer": peer}}
        refusal = tokens.refusal(scope, [session_value("wrong")])
        assert refusal is not None
        return refusal[0]

    found = [guess(f"10.0.{n // 200}.{n % 200}", "127.0.0.1") for n in range(20 * FREE_GUESSES + 1)]
    assert found == [401] * (20 * FREE_GUESSES) + [429]
    assert [guess(f"2001:db8::{n:x}", "") for n in range(FREE_GUESSES + 1)][-1] == 429
    assert guess("2001:db8:1::1", "") == 401


def test_the_memory_of_guessers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "MAX_GUESSERS", 10)
    guesses = Guesses()
    for number in range(100):
        guesses.wrong(str(number))
    assert len(guesses._wrong) == 10
