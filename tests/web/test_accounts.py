"""Accounts over HTTP: signing in, sessions, proofs of pages, tokens, quotas, rates, members' reads, records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from sqlalchemy import text

from arena.errors import BusyError
from arena.people import accounts, sessions, tokens
from arena.people.activity import verify_activity
from arena.people.quotas import DailyQuota, QuotaLimits
from arena.people.rights import USER_SCOPES, Caller
from arena.web import security
from arena.web.security import FORGOTTEN, FREE_GUESSES, Guesses
from tests.arenas import PATIENCE, Running, bot_source, running, settings_for
from tests.conftest import TOKEN
from tests.e2e.browser import CHROMIUM, browsing

PASSWORD = "correct horse battery"
OPERATOR = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("accounts")
    settings = settings_for(
        folder, accounts=True, arena_token=TOKEN, submissions_per_day=6, bots_per_user=3, tapes_per_day=2,
        backtests_per_day=2,
    )  # fmt: skip
    with running(settings, folder) as found:
        yield found


@pytest.fixture
def user(arena: Running, own_name: str) -> accounts.Account:
    return accounts.add_user(arena.arena.database, own_name.replace(" ", ""))


@pytest.fixture
def browser(arena: Running) -> Iterator[httpx2.Client]:
    """A browser without cookies."""
    with httpx2.Client(base_url=arena.url, timeout=60, trust_env=False) as client:
        yield client


def link_of(arena: Running, user: accounts.Account) -> str:
    return accounts.make_link(arena.arena.database, user.id)


def sign_in(client: httpx2.Client, arena: Running, user: accounts.Account) -> httpx2.Response:
    answer = client.post("/sign-in", data={"link": link_of(arena, user), "next": "/account"})
    assert answer.status_code == 303, answer.text
    return answer


def bearer(arena: Running, user: accounts.Account, *scopes: str) -> dict[str, str]:
    token, _ = tokens.make_token(arena.arena.database, user, "test", scopes or ("read", "submit", "manage-own"))
    return {"authorization": f"Bearer {token}"}


def csrf(client: httpx2.Client) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/account").text)
    assert found
    return found[1]


# -- signing in


def test_a_link_signs_in_once(arena: Running, user: accounts.Account, browser: httpx2.Client) -> None:
    link = link_of(arena, user)
    page = browser.get("/sign-in", params={"link": link, "next": "/account"})
    assert link in page.text
    assert page.headers["cache-control"] == "no-store"
    answer = browser.post("/sign-in", data={"link": link, "next": "/account"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("arena_session="))
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert user.name in browser.get("/account").text
    again = httpx2.post(f"{arena.url}/sign-in", data={"link": link}, trust_env=False)
    assert again.status_code == 401
    assert "used already" in again.text


def test_of_many_who_use_a_link_at_once_one_is_let_in(arena: Running, user: accounts.Account) -> None:
    link = link_of(arena, user)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: accounts.use_link(arena.arena.database, link), range(8)))
    assert [one is not None for one in found].count(True) == 1


@pytest.mark.system
def test_a_password_signs_in(arena: Running, user: accounts.Account, browser: httpx2.Client) -> None:
    accounts.set_password(arena.arena.database, user.id, PASSWORD)
    wrong = browser.post("/sign-in", data={"name": user.name, "password": PASSWORD + "x"})
    unknown = browser.post("/sign-in", data={"name": "nobody here", "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 401
    assert "do not fit" in wrong.text
    assert "do not fit" in unknown.text
    right = browser.post("/sign-in", data={"name": user.name.upper(), "password": PASSWORD})
    assert right.status_code == 303


def test_a_session_that_was_there_before_ends_at_signing_in(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    sign_in(browser, arena, user)
    before = browser.cookies["arena_session"]
    sign_in(browser, arena, user)
    assert browser.cookies["arena_session"] != before
    old = httpx2.get(f"{arena.url}/account", headers={"cookie": f"arena_session={before}"}, trust_env=False)
    assert old.status_code == 401


def test_a_planted_session_is_not_taken_over(arena: Running, user: accounts.Account) -> None:
    planted = {"cookie": "arena_session=planted"}
    data = {"link": link_of(arena, user)}
    answer = httpx2.post(f"{arena.url}/sign-in", data=data, headers=planted, trust_env=False)
    assert answer.status_code == 303
    assert httpx2.get(f"{arena.url}/account", headers=planted, trust_env=False).status_code == 401


TLS = {"x-forwarded-proto": "https"}  # as a proxy on this machine says of a request that came to it so


@pytest.mark.system
def test_over_tls_the_cookies_are_this_hosts_alone(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    """A site under the same domain can plant a cookie of any other name."""
    answer = browser.post("/sign-in", data={"link": link_of(arena, user)}, headers=TLS)
    given = {one.partition("=")[0]: one.lower() for one in answer.headers.get_list("set-cookie")}
    assert set(given) == {"__Host-arena_session", "__Host-arena_csrf"}
    for one in given.values():
        assert "; secure" in one
        assert "; path=/;" in one
        assert "domain" not in one
    session, proof = (one.partition(";")[0] for one in answer.headers.get_list("set-cookie"))
    planted = session.removeprefix("__Host-")

    def status(cookie: str, method: str = "GET", path: str = "/account", **more: str) -> int:
        headers = {"cookie": cookie, **TLS, **more}
        return httpx2.request(method, f"{arena.url}{path}", headers=headers, trust_env=False).status_code

    assert (status(session), status(planted), status(f"{planted}; {session}")) == (200, 401, 200)
    # Without TLS the name is the plain one.
    assert httpx2.get(f"{arena.url}/account", headers={"cookie": session}, trust_env=False).status_code == 401
    own = {"x-csrf-token": proof.partition("=")[2]}
    mine = f"/api/v1/users/{user.name}/link"
    assert status(session, "POST", mine) == 403
    answer = httpx2.post(f"{arena.url}/api/v1/me/tokens", json={"name": "a", "scopes": ["read"]},
                         headers={"cookie": session, **TLS, **own}, trust_env=False)  # fmt: skip
    assert answer.status_code == 201, answer.text
    # A page of this host that came without TLS may be anybody's.
    host = arena.url.removeprefix("http://")
    assert status(session, "POST", "/api/v1/me/tokens", origin=f"http://{host}", **own) == 403
    assert status(session, "POST", "/api/v1/me/tokens", origin=f"https://{host}", **own) == 422
    out = httpx2.post(
        f"{arena.url}/sign-out", data={"csrf": own["x-csrf-token"]}, headers={"cookie": session, **TLS}, trust_env=False
    )
    assert {one.partition("=")[0] for one in out.headers.get_list("set-cookie")} == set(given)
    assert all("; secure" in one.lower() for one in out.headers.get_list("set-cookie"))
    assert status(session) == 401


def test_of_two_sessions_in_one_browser_none_is_taken(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    """One of them was planted, and nothing tells which."""
    sign_in(browser, arena, user)
    own, other = f"arena_session={browser.cookies['arena_session']}", "arena_session=planted"
    for cookie, status in ((own, 200), (f"{own}; {own}", 200), (f"{other}; {own}", 401), (f"{own}; {other}", 401)):
        answer = httpx2.get(f"{arena.url}/account", headers={"cookie": cookie}, trust_env=False)
        assert answer.status_code == status, cookie


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example/", "/\\evil.example", "/a\\..\\b", "javascript:alert(1)", ""]
)
def test_signing_in_leads_nowhere_else(
    arena: Running, user: accounts.Account, browser: httpx2.Client, address: str
) -> None:
    answer = browser.post("/sign-in", data={"link": link_of(arena, user), "next": address})
    assert answer.headers["location"] == "/"


def test_signing_in_from_another_site_is_refused(arena: Running, user: accounts.Account) -> None:
    answer = httpx2.post(
        f"{arena.url}/sign-in", data={"link": link_of(arena, user)}, headers={"origin": "http://evil.example"},
        trust_env=False,
    )  # fmt: skip
    assert answer.status_code == 403


def test_signing_out_ends_the_session(arena: Running, user: accounts.Account, browser: httpx2.Client) -> None:
    sign_in(browser, arena, user)
    secret = browser.cookies["arena_session"]
    assert browser.post("/sign-out", data={"csrf": "0" * 64}).status_code == 403
    assert browser.post("/sign-out", data={"csrf": csrf(browser)}).status_code == 303
    old = httpx2.get(f"{arena.url}/account", headers={"cookie": f"arena_session={secret}"}, trust_env=False)
    assert old.status_code == 401


def test_a_new_password_ends_every_other_session(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    sign_in(browser, arena, user)
    other = browser.cookies["arena_session"]
    sign_in(browser, arena, user)
    short = browser.post("/account/password", data={"csrf": csrf(browser), "password": "short"})
    assert short.status_code == 422
    done = browser.post("/account/password", data={"csrf": csrf(browser), "password": PASSWORD})
    assert done.status_code == 303, done.text
    assert browser.get("/account").status_code == 200
    old = httpx2.get(f"{arena.url}/account", headers={"cookie": f"arena_session={other}"}, trust_env=False)
    assert old.status_code == 401
    changed = {"csrf": csrf(browser), "current": "wrong", "password": PASSWORD + "2"}
    assert browser.post("/account/password", data=changed).status_code == 422


def test_a_browser_that_is_not_signed_in_is_led_to_the_form(browser: httpx2.Client) -> None:
    answer = browser.get("/account", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/account")


def test_a_token_at_a_page_for_people_gets_a_page(browser: httpx2.Client) -> None:
    answer = browser.get("/account", headers={"accept": "text/html", **OPERATOR})
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "a token is not enough" in answer.text


@pytest.mark.system
def test_a_disabled_user_is_out_at_once(arena: Running, user: accounts.Account, browser: httpx2.Client) -> None:
    accounts.set_password(arena.arena.database, user.id, PASSWORD)
    headers, link = bearer(arena, user), link_of(arena, user)
    browser.post("/sign-in", data={"name": user.name, "password": PASSWORD})
    assert arena.api("POST", f"/users/{user.name}/disable", headers=OPERATOR).status_code == 200
    assert browser.get("/account").status_code == 401
    assert arena.api("POST", "/bots/check", json={"source": ""}, headers=headers).status_code == 401
    assert browser.post("/sign-in", data={"link": link}).status_code == 401
    assert browser.post("/sign-in", data={"name": user.name, "password": PASSWORD}).status_code == 401
    assert arena.api("POST", f"/users/{user.name}/enable", headers=OPERATOR).status_code == 200
    assert arena.api("POST", "/bots/check", json={"source": ""}, headers=headers).status_code == 200


# -- proofs of pages


@pytest.mark.parametrize("proof", [{}, {"x-csrf-token": ""}, {"x-csrf-token": "0" * 64}, {"x-csrf-token": "\xe9"}])
def test_a_cookie_alone_changes_nothing(
    arena: Running, user: accounts.Account, browser: httpx2.Client, proof: dict[str, str]
) -> None:
    sign_in(browser, arena, user)
    headers = {name: value.encode("latin-1") for name, value in proof.items()}
    answer = browser.post("/api/v1/bots/check", json={"source": ""}, headers=headers)
    assert answer.status_code == 403
    assert "X-CSRF-Token" in answer.json()["detail"]


def test_a_cookie_with_its_proof_changes_and_that_of_another_does_not(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    sign_in(browser, arena, user)
    proof = {"x-csrf-token": browser.cookies["arena_csrf"]}
    assert browser.post("/api/v1/bots/check", json={"source": ""}, headers=proof).status_code == 200
    sign_in(browser, arena, user)
    assert browser.post("/api/v1/bots/check", json={"source": ""}, headers=proof).status_code == 403


@pytest.mark.parametrize("path", ["/account/password", "/account/tokens", "/account/sessions/end", "/sign-out"])
def test_a_form_without_its_proof_changes_nothing(
    arena: Running, user: accounts.Account, browser: httpx2.Client, path: str
) -> None:
    sign_in(browser, arena, user)
    answer = browser.post(path, data={"password": PASSWORD, "name": "x", "scopes": "read"})
    assert answer.status_code == 403
    assert browser.get("/account").status_code == 200


def test_the_arenas_token_gives_a_session_whose_page_proves_itself(arena: Running, browser: httpx2.Client) -> None:
    assert browser.post("/api/v1/session", json={"token": TOKEN}).status_code == 204
    assert browser.post("/api/v1/bots/check", json={"source": ""}).status_code == 403
    proof = {"x-csrf-token": browser.cookies["arena_csrf"]}
    assert browser.post("/api/v1/bots/check", json={"source": ""}, headers=proof).status_code == 200


# -- tokens


def test_a_token_is_made_on_the_page_shown_once_and_revoked(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    sign_in(browser, arena, user)
    data = {"csrf": csrf(browser), "name": "<b>notebook", "scopes": ["read", "submit"], "days": "30"}
    page = browser.post("/account/tokens", data=data).text
    token = re.search(r"arena_[0-9A-Za-z]{49}", page)
    assert token
    assert "<b>notebook" not in page
    headers = {"authorization": f"Bearer {token[0]}"}
    assert arena.api("GET", "/me", headers=headers).json()["scopes"] == ["read", "submit"]
    assert token[0] not in browser.get("/account").text
    (row,) = tokens.list_tokens(arena.arena.database, user.id)
    assert row["last_used_at"] is not None
    assert browser.post(f"/account/tokens/{row['id']}/revoke", data={"csrf": csrf(browser)}).status_code == 303
    assert arena.api("GET", "/me", headers=headers).status_code == 401


def test_a_token_of_another_cannot_be_revoked(arena: Running, user: accounts.Account, browser: httpx2.Client) -> None:
    other = accounts.add_user(arena.arena.database, f"{user.name} other")
    headers = bearer(arena, other)
    (row,) = tokens.list_tokens(arena.arena.database, other.id)
    sign_in(browser, arena, user)
    proof = {"x-csrf-token": browser.cookies["arena_csrf"]}
    assert browser.delete(f"/api/v1/me/tokens/{row['id']}", headers=proof).status_code == 404
    assert arena.api("GET", "/me", headers=headers).status_code == 200


def test_a_token_is_made_by_the_api_of_the_page(arena: Running, user: accounts.Account, browser: httpx2.Client) -> None:
    sign_in(browser, arena, user)
    proof = {"x-csrf-token": browser.cookies["arena_csrf"]}
    made = browser.post("/api/v1/me/tokens", json={"name": "x", "scopes": ["read"]}, headers=proof)
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    asked = browser.post("/api/v1/me/tokens", json={"name": "x", "scopes": ["admin"]}, headers=proof)
    assert asked.status_code == 422
    assert "no admin" in asked.json()["detail"]
    shown = browser.get("/api/v1/me/tokens").text
    assert made.json()["token"] not in shown
    assert "hash" not in shown


def test_a_token_of_an_admin_who_is_one_no_more_is_no_admins(arena: Running, own_name: str) -> None:
    database = arena.arena.database
    admin = accounts.add_user(database, own_name, admin=True)
    headers = bearer(arena, admin, "admin")
    assert arena.api("GET", "/users", headers=headers).status_code == 200
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET admin = 0 WHERE name = ?", (own_name,))
    assert arena.api("GET", "/users", headers=headers).status_code == 403


def test_a_token_with_a_slip_is_refused_and_guesses_make_wait(arena: Running, user: accounts.Account) -> None:
    headers = bearer(arena, user)
    transport = httpx2.HTTPTransport(local_address="127.9.0.1")
    with httpx2.Client(base_url=arena.url, transport=transport, trust_env=False) as stranger:
        codes = [
            stranger.post("/api/v1/bots/check", json={}, headers={"authorization": f"Bearer arena_{n}"}).status_code
            for n in range(12)
        ]
        assert codes[:10] == [401] * 10
        assert codes[-1] == 429
        assert stranger.post("/api/v1/bots/check", json={"source": ""}, headers=headers).status_code == 429
        by_password = stranger.post("/sign-in", data={"name": user.name, "password": PASSWORD})
        assert by_password.status_code == 429
        assert int(by_password.headers["retry-after"]) >= 1
    assert arena.api("POST", "/bots/check", json={"source": ""}, headers=headers).status_code == 200


def test_the_cookie_of_the_arenas_token_cannot_be_guessed_without_waiting(arena: Running) -> None:
    transport = httpx2.HTTPTransport(local_address="127.9.0.2")
    with httpx2.Client(base_url=arena.url, transport=transport, trust_env=False) as stranger:
        codes = [
            stranger.post("/api/v1/bots/check", json={}, headers={"cookie": f"arena_session={n:064x}"}).status_code
            for n in range(12)
        ]
    assert codes[:10] == [401] * 10
    assert codes[-1] == 429


# -- quotas


def test_a_user_may_have_so_many_bots_at_once(arena: Running, user: accounts.Account) -> None:
    headers = bearer(arena, user)
    made = [
        arena.api("POST", "/bots", json={"source": bot_source(f"x = {n}", name=f"{user.name}-{n}")}, headers=headers)
        for n in range(4)
    ]
    assert [one.status_code for one in made] == [201, 201, 201, 409]
    assert "BOTS_PER_USER" in made[3].json()["detail"]
    asked = arena.api("POST", "/strategies", json={"prompt": "Hold BTCUSDT."}, headers=headers)
    assert asked.status_code == 409
    shown = {one["quota"]: one for one in arena.api("GET", "/me", headers=headers).json()["quotas"]}
    assert (shown["bots"]["limit"], shown["bots"]["used"]) == (3, 3)
    # What was refused is not counted.
    assert shown["submissions a day"]["used"] == 3
    version = bot_source("x = 99", name=f"{user.name}-0")
    assert arena.api("POST", "/bots", json={"source": version}, headers=headers).status_code == 201
    bot = made[1].json()["bot_id"]
    assert arena.api("DELETE", f"/bots/{bot}", headers=headers).status_code == 204
    more = bot_source("x = 5", name=f"{user.name}-5")
    assert arena.api("POST", "/bots", json={"source": more}, headers=headers).status_code == 201


def test_a_day_has_so_many_submissions_and_a_race_lets_no_more_through(arena: Running, user: accounts.Account) -> None:
    headers = bearer(arena, user)

    def hand_in(number: int) -> int:
        body = {"prompt": f"Hold BTCUSDT {number}.", "name": f"{user.name} {number}"}
        return arena.api("POST", "/strategies", json=body, headers=headers).status_code

    quota = DailyQuota(arena.arena.database, QuotaLimits.of(arena.settings))
    caller = Caller("token", user.name, user.id, USER_SCOPES)

    def take(_: int) -> bool:
        try:
            quota.take(caller)
        except BusyError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(take, range(20))).count(True) == 6
    refused = arena.api("POST", "/strategies", json={"prompt": "Hold."}, headers=headers)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["resets_at"] > 0
    assert "SUBMISSIONS_PER_DAY" in refused.json()["detail"]
    quota.give_back(caller)
    assert hand_in(1) == 202


def test_a_day_has_so_many_market_files_and_backtests(arena: Running, user: accounts.Account) -> None:
    headers = bearer(arena, user)
    rows = "".join(f"{1767225600 + 60 * n},BTCUSDT,{100 + n}\n" for n in range(5))

    def upload(number: int) -> httpx2.Response:
        content = f"time,symbol,price\n{rows}{1767226000 + number},BTCUSDT,99\n".encode()
        return arena.api("POST", f"/tapes?name={number}.csv", content=content, headers=headers)

    assert arena.api("POST", "/tapes?name=prices.exe", content=b"x", headers=headers).status_code == 422
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(upload, range(8)))
    assert sorted(one.status_code for one in answers) == [201] * 2 + [429] * 6
    assert any("TAPES_PER_DAY" in one.json()["detail"] for one in answers if one.status_code == 429)
    tape = next(one.json()["name"] for one in answers if one.status_code == 201)
    made = arena.api("POST", "/bots", json={"source": bot_source(name=f"{user.name}-tested")}, headers=headers)

    def ask(seed: int) -> httpx2.Response:
        body = {"bots": [made.json()["bot_id"]], "tape": tape, "seed": seed}
        return arena.api("POST", "/backtests", json=body, headers=headers)

    asked = [ask(seed) for seed in range(3)]
    assert [one.status_code for one in asked] == [202, 202, 429]
    assert "BACKTESTS_PER_DAY" in asked[2].json()["detail"]
    # The same once more costs nothing, and who has asked may cancel.
    assert ask(0).status_code == 202
    job = asked[1].json()["job_id"]
    assert arena.api("DELETE", f"/jobs/{job}", headers=headers).status_code == 200
    shown = {one["quota"]: one["used"] for one in arena.api("GET", "/me", headers=headers).json()["quotas"]}
    assert (shown["tapes a day"], shown["backtests a day"]) == (2, 2)


# -- what was done


def test_everything_that_was_done_is_recorded_without_secrets(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    headers = bearer(arena, user)
    bot = arena.admitted_as(bot_source(name=f"R {user.name}"), headers).id
    assert arena.api("POST", f"/bots/{bot}/pause", headers=headers).status_code == 200
    link = link_of(arena, user)
    assert browser.post("/sign-in", data={"link": link}).status_code == 303
    stranger = accounts.add_user(arena.arena.database, f"{user.name} two")
    assert arena.api("POST", f"/bots/{bot}/resume", headers=bearer(arena, stranger)).status_code == 403
    found = arena.api("GET", "/activity", params={"actor": user.name}, headers=OPERATOR)
    rows = found.json()["items"]
    assert [(one["action"], one["object"]) for one in rows] == [
        ("sign in", user.name), ("pause bot", bot), ("upload bot", bot),
    ]  # fmt: skip
    assert {one["address"] for one in rows} == {"127.0.0.1"}
    (refused,) = arena.api("GET", "/activity", params={"actor": stranger.name}, headers=OPERATOR).json()["items"]
    assert (refused["action"], refused["object"], refused["outcome"]) == ("resume bot", bot, 403)
    text = arena.api("GET", "/activity", params={"limit": 1000}, headers=OPERATOR).text
    for secret in (TOKEN, headers["authorization"].split()[1], link, browser.cookies["arena_session"], PASSWORD):
        assert secret not in text
    assert verify_activity(arena.arena.database)[1] == []


# -- without accounts, with limits


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An arena without accounts whose reads are for holders of its token, few at a time."""
    folder = tmp_path_factory.mktemp("members")
    settings = settings_for(folder, arena_token=TOKEN, reads="members", requests_per_minute=30)
    with running(settings, folder) as found:
        yield found


def at(arena: Running, address: str) -> httpx2.Client:
    transport = httpx2.HTTPTransport(local_address=address)
    return httpx2.Client(base_url=arena.url, transport=transport, trust_env=False, timeout=60)


@pytest.mark.system
def test_members_alone_may_read(members: Running) -> None:
    with at(members, "127.8.0.1") as client:
        for path in ("/api/v1/leaderboard", "/api/v1/status", "/openapi.json", "/metrics", "/docs", "/api/v1/stream"):
            assert client.get(path).status_code == 401, path
            assert client.head(path).status_code == 401, path
        assert client.get("/api/v1/leaderboard", headers=OPERATOR).status_code == 200
        for path in ("/healthz", "/sign-in", "/static/style.css", "/api/v1/me"):
            assert client.get(path).status_code == 200, path


@pytest.mark.system
def test_a_browser_is_led_to_sign_in_and_back(members: Running) -> None:
    with at(members, "127.8.0.2") as client:
        led = client.get("/seasons?x=1", headers={"accept": "text/html"})
        assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fseasons%3Fx%3D1")
        assert client.post("/sign-in", data={"token": "wrong"}).status_code == 401
        back = client.post("/sign-in", data={"token": TOKEN, "next": "/seasons"})
        assert (back.status_code, back.headers["location"]) == (303, "/seasons")
        assert client.get("/seasons").status_code == 200


def test_requests_a_minute_are_limited_by_address_and_told(members: Running) -> None:
    with at(members, "127.8.0.3") as client:
        first = client.get("/api/v1/prices", headers=OPERATOR)
        assert first.status_code == 200
        assert first.headers["ratelimit-limit"] == "30"
        assert first.headers["ratelimit-remaining"] == "29"
        assert first.headers["ratelimit-policy"] == '"minute";q=30;w=60'
        answers = [client.get("/api/v1/prices", headers=OPERATOR) for _ in range(40)]
        beyond = answers[-1]
        assert beyond.status_code == 429
        assert 1 <= int(beyond.headers["retry-after"]) <= 60
        assert beyond.headers["ratelimit-remaining"] == "0"
        assert [one.status_code for one in answers].count(200) <= 31
        assert client.get("/healthz").status_code == 200
    with at(members, "127.8.0.4") as other:
        assert other.get("/api/v1/prices", headers=OPERATOR).status_code == 200


def test_without_accounts_nothing_is_asked(live: Running) -> None:
    me = live.get("/me")
    assert (me["by"], me["accounts"], me["admin"]) == ("this machine", False, True)
    assert live.client.get("/account").status_code in {403, 404}
    assert "ratelimit" not in live.api("GET", "/prices").headers


def test_a_users_own_right_token_makes_no_room_for_guesses(
    arena: Running, user: accounts.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "_now", lambda: 1000.0)
    # An address of its own: every 127.x.y.z is loopback, and others' guesses do not count here.
    transport = httpx2.HTTPTransport(local_address="127.0.0.77")
    with httpx2.Client(base_url=arena.url, timeout=60, trust_env=False, transport=transport) as client:
        own = bearer(arena, user)

        def asked(headers: dict[str, str]) -> int:
            return client.post("/api/v1/bots/check", json={"source": ""}, headers=headers).status_code

        guesses = []
        for number in range(FREE_GUESSES + 1):
            guesses.append(asked({"authorization": f"Bearer guess{number}"}))
            if number < FREE_GUESSES - 1:
                assert asked(own) == 200
        assert guesses == [401] * FREE_GUESSES + [429]


def test_guesses_are_forgotten_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(security, "_now", lambda: now)
    guesses = Guesses()
    for _ in range(FREE_GUESSES):
        guesses.wrong("a")
    assert guesses.wait("a") == 1
    now += FORGOTTEN + 2
    guesses.wrong("a")
    assert guesses.wait("a") == 0


@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "raw_unicode_escape", "utf-16"])
@pytest.mark.parametrize("address", ["/sign-in", "/api/v1/bots"])
def test_a_form_in_another_encoding_is_refused(arena: Running, address: str, charset: str) -> None:
    part = '--b\r\nContent-Disposition: form-data; name="author"\r\n\r\n\\ud800\r\n--b--\r\n'
    kind = f"multipart/form-data; charset={charset}; boundary=b"
    answer = arena.client.post(address, content=part.encode(), headers={**OPERATOR, "content-type": kind})
    assert answer.status_code == 422, answer.text
    assert "UTF-8" in answer.json()["detail"]


# -- what a page's head shows, and streams that were opened by what has been revoked


def test_the_head_of_a_page_names_who_is_signed_in(
    arena: Running, user: accounts.Account, browser: httpx2.Client
) -> None:
    assert 'href="/sign-in?next=/seasons"' in browser.get("/seasons").text
    sign_in(browser, arena, user)
    for path in ("/", "/seasons", "/no-such-page"):
        head = browser.get(path, headers={"accept": "text/html"}).text.partition("<main")[0]
        assert re.search(rf'<a href="/account">.*{user.name}</bdi></a>', head), path
    browser.cookies.set("arena_session", "of-a-session-that-has-ended")
    page = browser.get("/seasons")
    assert (page.status_code, user.name in page.text) == (200, False)
    # A cookie that proves another token counts as no guess at a page that anybody may read.
    browser.cookies.set("arena_session", "0" * 64)
    assert {browser.get("/seasons").status_code for _ in range(15)} == {200}
    assert arena.api("GET", "/me", headers=OPERATOR).status_code == 200


@pytest.mark.system
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_real_browser_signs_in_and_out(arena: Running, user: accounts.Account) -> None:
    """Browsers say of a form where its page is from, unless the page forbids that."""
    with browsing(f"{arena.url}/sign-in?link={link_of(arena, user)}&next=%2Fseasons") as (page, _):
        page.click("main button[type=submit]")
        page.wait_for_selector("#signed-in a[href='/account']")
        assert page.inner_text("#signed-in") == f"Signed in as {user.name}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{arena.url}/account")
        page.click("form[action='/sign-out'] button")
        page.wait_for_selector("#signed-in a[href^='/sign-in']")


def test_without_accounts_a_page_names_nobody(live: Running) -> None:
    head = live.client.get("/seasons").text.partition("<main")[0]
    assert 'id="signed-in"' not in head
    assert "/sign-in" not in head


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An arena with accounts whose reads are for members; what a stream was opened by is looked at often."""
    folder = tmp_path_factory.mktemp("club")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arena.web.streams.CHECK_SECONDS", 0.2)
        with running(settings_for(folder, accounts=True, reads="members"), folder) as found:
            yield found


def listening(arena: Running, headers: dict[str, str]) -> tuple[httpx2.Client, httpx2.Response, Iterator[str]]:
    """Open the stream and read its first line."""
    client = httpx2.Client(base_url=arena.url, timeout=PATIENCE, trust_env=False)
    answer = client.send(client.build_request("GET", "/api/v1/stream", headers=headers), stream=True)
    assert answer.status_code == 200
    lines = answer.iter_lines()
    assert next(lines)
    return client, answer, lines


@pytest.mark.parametrize("way", ["token revoked", "token too old", "user disabled", "signed out", "session too old"])
def test_a_stream_ends_with_what_opened_it(club: Running, way: str) -> None:
    database = club.arena.database
    member = accounts.add_user(database, f"member-{way.replace(' ', '-')}")
    token, row = tokens.make_token(database, member, "test", ["read"])
    session = sessions.open_session(database, member, "127.0.0.1")
    by_token = {"authorization": f"Bearer {token}"}
    headers = by_token if way.startswith(("token", "user")) else {"cookie": f"arena_session={session}"}
    other = accounts.add_user(database, f"other-{way.replace(' ', '-')}")
    kept, _ = tokens.make_token(database, other, "test", ["read"])
    client, answer, lines = listening(club, headers)
    second, another, still = listening(club, {"authorization": f"Bearer {kept}"})
    try:
        if way == "token revoked":
            tokens.revoke_token(database, member.id, row["id"])
        elif way == "user disabled":
            accounts.disable_user(database, member.id)
        elif way == "signed out":
            sessions.close_session(database, session)
        else:
            table = "tokens" if way == "token too old" else "sessions"
            with database.begin() as connection:
                connection.execute(
                    text(f"UPDATE {table} SET expires_at = 1 WHERE user_id = :user"), {"user": member.id}
                )
        # It ends as a stream ends, not as one that was cut off.
        for _ in lines:
            pass
        assert club.client.get("/api/v1/leaderboard", headers=headers).status_code == 401
        # That of somebody else goes on.
        for _ in range(8):
            assert next(still) is not None
    finally:
        for one in (answer, client, another, second):
            one.close()


@pytest.mark.system
def test_a_session_does_not_let_the_password_be_guessed(
    arena: Running, user: accounts.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.set_password(arena.arena.database, user.id, PASSWORD)
    monkeypatch.setattr(security, "_now", lambda: 1000.0)
    transport = httpx2.HTTPTransport(local_address="127.0.0.78")
    with httpx2.Client(base_url=arena.url, timeout=60, trust_env=False, transport=transport) as client:
        sign_in(client, arena, user)
        form = {"csrf": csrf(client), "password": "another long password"}
        tried = [
            client.post("/account/password", data={**form, "current": "wrong password"}).status_code
            for _ in range(FREE_GUESSES + 1)
        ]
        assert tried == [422] * FREE_GUESSES + [429]
        # The right one is not looked at either.
        assert client.post("/account/password", data={**form, "current": PASSWORD}).status_code == 429
    assert accounts.check_password(arena.arena.database, user.name, PASSWORD) is not None
