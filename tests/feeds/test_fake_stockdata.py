"""The fake StockData.org keeps the venue's documented rules."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from scenes import play

from arena.feeds.fakes.stockdata import ERRORS, FakeStockData


async def get(fake: FakeStockData, path: str = "/v1/data/quote", **query: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(fake.url + path, params={"api_token": "t", **query})


def code(response: httpx2.Response) -> Any:
    return response.json()["error"]["code"]


def test_quotes_come_in_the_documented_form_and_unknown_symbols_are_left_out() -> None:
    async def scene() -> None:
        async with FakeStockData("t") as fake:
            fake.quote("SPY", 1.5, None)
            fake.quote("QQQ", 2, None, mood="new")
            fake.forget("QQQ")
            response = await get(fake, symbols="SPY,QQQ,NOSUCH")
            answer = response.json()
            assert answer["meta"] == {"requested": 3, "returned": 1}
            assert [(item["ticker"], item["price"], item["52_week_high"]) for item in answer["data"]] == [
                ("SPY", 1.5, None)
            ]
            assert response.headers["X-UsageLimit-Limit"] == "100"
            assert response.headers["X-UsageLimit-Remaining"] == "99"

    play(scene)


def test_wrong_requests_get_the_documented_errors() -> None:
    async def scene() -> None:
        async with FakeStockData("t", limit=0) as fake:
            wrong_token = await get(fake, api_token="x")
            assert (wrong_token.status_code, code(wrong_token)) == (401, "invalid_api_token")
            nowhere = await get(fake, "/v2")
            assert (nowhere.status_code, code(nowhere)) == (404, "invalid_api_endpoint")
            assert (await get(fake)).status_code == 400
            used_up = await get(fake, symbols="SPY")
            assert (used_up.status_code, code(used_up)) == (402, "usage_limit_reached")
            assert used_up.headers["X-UsageLimit-Remaining"] == "0"

    play(scene)


@pytest.mark.parametrize("status", ERRORS)
def test_every_documented_error_can_be_made(status: int) -> None:
    async def scene() -> None:
        async with FakeStockData("t") as fake:
            fake.refuse(status)
            response = await get(fake, symbols="SPY")
            assert (response.status_code, code(response)) == (status, ERRORS[status])
            assert (await get(fake, symbols="SPY")).status_code == 200

    play(scene)


def test_an_answer_can_break_off_in_the_middle() -> None:
    async def scene() -> None:
        async with FakeStockData("t") as fake:
            fake.cut()
            with pytest.raises(httpx2.RemoteProtocolError):
                await get(fake, symbols="SPY")

    play(scene)
