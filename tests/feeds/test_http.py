"""Requests to venues: every response arrives whole within a deadline and a size, or the request fails."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from scenes import play

from arena.errors import FeedError
from arena.feeds.http import HttpClient, ResponseTooLargeError, base_url_of, trusted_roots
from arena.feeds.retry import RATE_LIMIT_SECONDS, PollFailedError, retry_after_seconds

KIB, MIB = 1024, 1024 * 1024


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextlib.asynccontextmanager
async def server(*parts: bytes, hold: bool = False, drip: float = 0.0) -> AsyncIterator[httpx2.URL]:
    """Serve one raw response to every request.

    With `hold` the connection stays open after it, with `drip` one byte more follows every so many seconds.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
            while drip:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(drip)
            if hold:
                await reader.read()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))
        try:
            await asyncio.wait(tasks[-1:])
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    tasks: list[asyncio.Task[None]] = []
    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield httpx2.URL(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def failure_of(parts: tuple[bytes, ...], *, timeout: float = 60.0, hold: bool = False) -> PollFailedError:
    """Return why a request fails that gets these bytes."""
    found: list[PollFailedError] = []

    async def scene() -> None:
        async with server(*parts, hold=hold) as url, HttpClient(url, timeout=timeout, max_bytes=64 * KIB) as client:
            with pytest.raises(PollFailedError) as caught:
                await client.get("/prices", {"symbols": "A,B"})
            found.append(caught.value)

    play(scene)
    return found[0]


@pytest.mark.parametrize("encode", [bytes, gzip.compress])
def test_a_body_arrives_whole_compressed_or_not(encode: Callable[[bytes], bytes]) -> None:
    text = b'{"price":1}' * 1000

    async def scene() -> None:
        headers = ["Content-Encoding: gzip"] if encode is gzip.compress else []
        async with (
            server(response(encode(text), *headers)) as url,
            HttpClient(url, timeout=60.0, max_bytes=len(text)) as client,
        ):
            answer = await client.get("/")
            assert (answer.status, answer.body) == (200, text)

    play(scene)


def test_a_body_beyond_the_limit_is_refused_also_where_only_decompression_shows_it() -> None:
    plain = failure_of((response(b"x" * (64 * KIB + 1)),))
    assert isinstance(plain, ResponseTooLargeError)
    assert str(plain) == "127.0.0.1 answered with more than 65536 bytes."
    packed = gzip.compress(b"x" * (32 * MIB))
    assert len(packed) < 64 * KIB
    assert isinstance(failure_of((response(packed, "Content-Encoding: gzip"),)), ResponseTooLargeError)


@pytest.mark.system
def test_a_small_compressed_body_cannot_take_much_memory() -> None:
    """256 MiB of zeros in a body of 256 KiB are stopped at the limit, not after they have been unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    body = b"".join(packer.compress(bytes(MIB)) for _ in range(256)) + packer.flush()
    assert len(body) < MIB

    async def scene() -> None:
        async with (
            server(response(body, "Content-Encoding: gzip")) as url,
            HttpClient(url, timeout=60.0, max_bytes=64 * KIB) as client,
        ):
            tracemalloc.start()
            try:
                with pytest.raises(ResponseTooLargeError):
                    await client.get("/")
                # All threads of the process are counted, and all of it is far less than what was packed.
                assert tracemalloc.get_traced_memory()[1] < 64 * MIB
            finally:
                tracemalloc.stop()

    play(scene)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((response(b"{}", "Content-Encoding: br"),), "it is encoded as br, which was not asked for"),
        ((response(b"no gzip", "Content-Encoding: gzip"),), "broke off its answer: Error"),
        ((response(gzip.compress(b"x" * 999)[:-4], "Content-Encoding: gzip"),), "its compressed body is cut off"),
        ((response(b"x" * 999)[:-9],), "broke off its answer: peer closed connection"),
        ((b"nonsense\r\n\r\n",), "broke off its answer"),
    ],
)
def test_a_body_that_is_cut_off_or_garbled_is_a_failure_of_one_sentence(parts: tuple[bytes, ...], said: str) -> None:
    error = failure_of(parts)
    assert said in str(error)
    assert str(error).startswith("127.0.0.1 ")
    assert str(error).endswith(".")
    assert error.sent


def test_the_deadline_covers_the_whole_response_not_each_part_of_it() -> None:
    async def scene() -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        async with server(head, drip=0.01) as url, HttpClient(url, timeout=1.0, max_bytes=MIB) as client:
            with pytest.raises(PollFailedError, match=r"127\.0\.0\.1 did not answer in time\.") as caught:
                await client.get("/")
            assert caught.value.sent

    play(scene)


def test_silence_is_a_failure_of_the_request() -> None:
    assert str(failure_of((), timeout=1.0, hold=True)) == "127.0.0.1 did not answer in time."


def test_a_venue_that_is_not_there_has_not_been_sent_anything() -> None:
    async def scene() -> None:
        async with server() as url:
            pass
        async with HttpClient(url, name="The venue", timeout=60.0, max_bytes=MIB) as client:
            with pytest.raises(PollFailedError, match="The venue cannot be reached: ") as caught:
                await client.get("/")
            assert not caught.value.sent

    play(scene)


def test_redirects_are_not_followed() -> None:
    async def scene() -> None:
        redirect = response(b"", "Location: http://127.0.0.1:1/elsewhere", status="302 Found")
        async with server(redirect) as url, HttpClient(url, timeout=60.0, max_bytes=MIB) as client:
            assert (await client.get("/")).status == 302

    play(scene)


def test_a_proxy_that_cannot_be_used_fails_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "nonsense://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    async def scene() -> None:
        with pytest.raises(PollFailedError, match=r"The proxy for venue\.invalid cannot be used") as caught:
            async with HttpClient(httpx2.URL("http://venue.invalid"), timeout=1.0, max_bytes=MIB):
                raise AssertionError
        assert not caught.value.sent

    play(scene)


@pytest.mark.parametrize("text", ["", "api.example.com", "ftp://x.com", "http://", "http://x:0", "http://["])
def test_an_invalid_address_is_refused_at_once(text: str) -> None:
    with pytest.raises(FeedError, match="begins with https"):
        base_url_of(text, "It begins with https://.")


def test_only_the_encoding_that_can_be_bounded_is_asked_for() -> None:
    async def scene() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
            writer.write(response(b"{}"))
            writer.close()
            await writer.wait_closed()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = httpx2.URL(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/api")
        async with HttpClient(url, timeout=60.0, max_bytes=MIB, headers={"X-Key": "a-key"}) as client:
            assert (await client.get("/v0/prices", [("ids", "a"), ("ids", "b")])).body == b"{}"
        listening.close()

    received: list[str] = []
    play(scene)
    [head] = received
    assert head.startswith("get /api/v0/prices?ids=a&ids=b http/1.1")
    assert [line for line in head.splitlines() if "encoding" in line] == ["accept-encoding: gzip"]
    assert "x-key: a-key" in head


def test_the_certificate_authorities_are_loaded_once() -> None:
    assert trusted_roots() is trusted_roots()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0), (" 0 ", 0.0), (None, RATE_LIMIT_SECONDS), ("", RATE_LIMIT_SECONDS), ("soon", RATE_LIMIT_SECONDS),
        ("-5", RATE_LIMIT_SECONDS), ("1.5", RATE_LIMIT_SECONDS), ("²", RATE_LIMIT_SECONDS), ("9" * 400, 86_400.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date_and_never_more_than_a_day(
    text: str | None, seconds: float
) -> None:
    headers = httpx2.Headers({} if text is None else [(b"Retry-After", text.encode())])
    assert retry_after_seconds(headers) == seconds


def test_a_date_to_come_is_counted_from_now() -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=600)
    began = time.time()
    wait = retry_after_seconds({"Retry-After": format_datetime(moment, usegmt=True)})
    assert moment.timestamp() - time.time() <= wait <= moment.timestamp() - began
