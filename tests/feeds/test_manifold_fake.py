"""The fake Manifold keeps the venue's rules, so that passing against it means something."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from scenes import play
from test_manifold import BETS, RAIN, WHO, listed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from arena.feeds.fakes.manifold import FakeManifold


async def asked(socket: ClientConnection, text: str) -> Any:
    await socket.send(text)
    return json.loads(await socket.recv())


def test_every_message_is_acknowledged_by_its_number() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake, connect(listed(fake).url, proxy=None) as socket:
            for number, message in enumerate(
                (
                    {"type": "identify", "uid": "u"},
                    {"type": "subscribe", "topics": [BETS]},
                    {"type": "ping"},
                    {"type": "unsubscribe", "topics": [BETS]},
                )
            ):
                ack = await asked(socket, json.dumps({**message, "txid": number}))
                assert ack == {"type": "ack", "txid": number, "success": True}
            await fake.pinged(1)
            unread = {"type": "ack", "success": False, "error": "Error parsing message."}
            for text in ("[]", "{}", '{"type":"ping"}', '{"type":"subscribe","txid":1}', '{"type":"sing","txid":1}'):
                assert await asked(socket, text) == unread
            assert "JSON" in (await asked(socket, "{"))["error"]

    play(scene)


def test_broadcasts_go_to_the_subscribers_of_the_topic() -> None:
    async def scene() -> None:
        async with FakeManifold() as fake, connect(listed(fake).url, proxy=None) as socket:
            await asked(socket, json.dumps({"type": "subscribe", "txid": 0, "topics": [BETS]}))
            await fake.broadcast(fake.markets.bet(RAIN, 0.6, moment=1_700_000_000.0))
            message = json.loads(await socket.recv())
            assert (message["type"], message["topic"]) == ("broadcast", BETS)
            bet, redemption = message["data"]["bets"]
            assert (bet["contractId"], bet["createdTime"]) == (RAIN, 1_700_000_000_000)
            assert (bet["probBefore"], bet["probAfter"], bet["isRedemption"]) == (0.5, 0.6, False)
            assert redemption["isRedemption"]
            assert (await asked(socket, '{"type":"ping","txid":1}'))["txid"] == 1

    play(scene)


def test_a_client_that_does_not_ping_is_dropped() -> None:
    async def scene() -> None:
        async with FakeManifold(ping_timeout=0.05) as fake, connect(fake.url, proxy=None) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            await fake.connected(0)

    play(scene)


def test_rest_answers_as_the_venue_does() -> None:
    async def scene() -> None:
        async with (
            FakeManifold() as fake,
            httpx2.AsyncClient(base_url=listed(fake).rest_url, trust_env=False) as client,
        ):
            by_id = (await client.get(f"/v0/market/{RAIN}")).json()
            assert by_id == (await client.get("/v0/slug/will-it-rain")).json()
            assert (by_id["id"], by_id["outcomeType"], by_id["probability"]) == (RAIN, "BINARY", 0.5)
            assert (await client.get(f"/v0/market/{RAIN}/prob")).json() == {"prob": 0.5}
            both = (await client.get("/v0/market-probs", params={"ids": [RAIN, WHO, "no-such"]})).json()
            assert both == {RAIN: {"prob": 0.5}, WHO: {"answerProbs": {"aaaaaaaaaa": 0.6, "bbbbbbbbbb": 0.4}}}
            for path, status in (
                ("/v0/market/no-such", 404), ("/v0/slug/no-such", 404), ("/v0/else", 404), ("/v0/market-probs", 400),
                ("/v0/market-probs?" + "&".join(f"ids={n}" for n in range(101)), 400),
            ):  # fmt: skip
                answer = await client.get(path)
                assert answer.status_code == status
                assert answer.json()["message"]
            fake.refuse_rest(429, "30")
            refused = await client.get(f"/v0/market/{RAIN}")
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")

    play(scene)


def test_the_probabilities_show_which_of_several_winners_there_are() -> None:
    async def scene() -> None:
        fake = listed(FakeManifold())
        fake.markets.resolve(WHO, "CHOOSE_MULTIPLE", resolutions={"aaaaaaaaaa": 75, "bbbbbbbbbb": 25})
        page = fake.markets.answer(f"/v0/market/{WHO}", {})[1]
        assert (page["isResolved"], page["resolution"]) == (True, "CHOOSE_MULTIPLE")
        assert "resolutions" not in page
        told = fake.markets.answer(f"/v0/market/{WHO}/prob", {})[1]
        assert told == {"answerProbs": {"aaaaaaaaaa": 0.75, "bbbbbbbbbb": 0.25}}

    play(scene)
