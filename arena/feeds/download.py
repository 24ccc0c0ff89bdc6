"""Downloads files of Binance's public archive, resumable and verified.

An incomplete file is kept as `NAME.part`. It gets its real name only once its SHA-256 matches the checksum file
of the site, which is kept beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx2

from arena.errors import ArenaError, MarketDataError, NotFoundError
from arena.feeds.archives import Archive
from arena.feeds.files.sources import CHECKSUM_ENDING, checksum_difference, digest_of, stated_checksum
from arena.feeds.http import is_loopback, trusted_roots
from arena.feeds.retry import retry_after_seconds

BASE_URL = "https://data.binance.vision"

_TIMEOUT = 30.0  # seconds without a byte
_TRIES = 5  # without one new byte in between
_RETRIED = (429, 500, 502, 503, 504)
_LONGEST_PAUSE = 60.0
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416

Progress = Callable[[int, int | None], None]
Result = TypeVar("Result")


class DownloadError(ArenaError):
    """A file could not be downloaded; what has arrived of it is kept."""


class _TransferError(Exception):
    """The transfer broke off, or the site limits requests; `pause` is the wait in seconds that it asks for, if any."""

    def __init__(self, sentence: str, pause: float | None = None) -> None:
        super().__init__(sentence)
        self.pause = pause


class Downloader:
    """Downloads files into a folder, one after the other; use it as a context manager.

    `pause` waits between two tries.
    """

    def __init__(
        self,
        folder: Path,
        *,
        base_url: str = BASE_URL,
        timeout: float = _TIMEOUT,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise MarketDataError(f"{base_url!r} is no address of a site; it begins with https://.", usage=True)
        self._folder = folder
        self._base = base_url.rstrip("/")
        self._host = urlsplit(base_url).hostname or ""
        # Proxy settings do not apply on this machine.
        self._client = httpx2.Client(
            timeout=timeout,
            follow_redirects=True,
            headers={"Accept-Encoding": "identity"},
            trust_env=not is_loopback(base_url),
            verify=trusted_roots(),
        )
        self._pause = pause

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def fetch(self, archive: Archive, progress: Progress = lambda _done, _total: None) -> bool:
        """Download one file; return False if the same one exists already.

        `progress` gets the number of bytes so far and, if the site says so, their total.
        """
        final = self._folder / archive.name
        checksum_file = self._with_retries(lambda: self._stated_checksum(archive), lambda: 0)
        stated = stated_checksum(checksum_file)
        if stated is None:
            raise DownloadError(f"The site's {archive.name}{CHECKSUM_ENDING} holds no SHA-256.")
        beside = final.with_name(final.name + CHECKSUM_ENDING)
        if final.exists() and digest_of(final) == stated:
            beside.write_text(checksum_file, "utf-8")
            return False
        part = final.with_name(final.name + ".part")
        self._complete_part(archive, part, stated, progress)
        beside.write_text(checksum_file, "utf-8")
        part.replace(final)
        return True

    def _complete_part(self, archive: Archive, part: Path, stated: str, progress: Progress) -> None:
        """Complete the part file and check it; an earlier run may have left a part of an older version."""
        resumed = part.exists()
        self._with_retries(lambda: self._continue(archive, part, progress), lambda: _size(part))
        wrong = checksum_difference(part, stated)
        if wrong and resumed:
            part.unlink()
            self._with_retries(lambda: self._continue(archive, part, progress), lambda: _size(part))
            wrong = checksum_difference(part, stated)
        if wrong:
            part.unlink()
            raise DownloadError(f"{wrong.replace(part.name, archive.name)} It was thrown away.")

    def _with_retries(self, act: Callable[[], Result], size: Callable[[], int]) -> Result:
        """Repeat a transfer that breaks off, up to five times in a row without a new byte."""
        tries, before = 0, size()
        while True:
            try:
                return act()
            except _TransferError as error:
                now = size()
                tries, before = (1, now) if now > before else (tries + 1, before)
                if tries >= _TRIES:
                    raise DownloadError(
                        f"{error} That was try {tries}; what has arrived is kept, and the same command goes on with it."
                    ) from error
                self._pause(min(2.0 ** (tries - 1) if error.pause is None else error.pause, _LONGEST_PAUSE))

    def _stated_checksum(self, archive: Archive) -> str:
        with self._get(archive, CHECKSUM_ENDING, {}) as response:
            return response.read().decode("utf-8", errors="replace")

    def _continue(self, archive: Archive, part: Path, progress: Progress) -> None:
        """Download the rest of a file, all of it where the site does not serve ranges."""
        have = _size(part)
        with self._get(archive, "", {"Range": f"bytes={have}-"} if have else {}) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE:
                return  # it is complete, or another file: the checksum decides
            if response.status_code != _PARTIAL_CONTENT or not response.headers.get("content-range", "").startswith(
                f"bytes {have}-"
            ):
                have = 0
            length = response.headers.get("content-length", "")
            total = have + int(length) if length.isdecimal() else None
            with part.open("r+b" if have else "wb") as out:
                out.seek(have)
                for piece in response.iter_raw():
                    out.write(piece)
                    have += len(piece)
                    progress(have, total)

    @contextmanager
    def _get(self, archive: Archive, ending: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
        url = f"{self._base}/{archive.path}{ending}"
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                _refuse(response, archive)
                yield response
        except httpx2.HTTPError as error:
            problem = str(error).rstrip(".") or type(error).__name__
            raise _TransferError(f"{archive.name} could not be fetched from {self._host}: {problem}.") from error


def _refuse(response: httpx2.Response, archive: Archive) -> None:
    status, host = response.status_code, response.url.host
    if status == httpx2.codes.NOT_FOUND:
        raise NotFoundError(
            f"{host} has no {archive.name}: no such symbol or interval, nothing was traded then, or it is not out yet "
            "(a day's file comes the day after, a month's on the first Monday of the next)."
        )
    if status in _RETRIED:
        pause = retry_after_seconds(response.headers) if "Retry-After" in response.headers else None
        raise _TransferError(f"{host} answers {status} to {archive.name}.", pause)
    if status >= httpx2.codes.BAD_REQUEST and status != _RANGE_NOT_SATISFIABLE:
        raise DownloadError(f"{host} answers {status} to {archive.name}.")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
