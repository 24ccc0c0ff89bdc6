"""An installed Chromium, driven as a person would."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


PATIENCE_MS = 100_000  # a bound for what never comes; below the time limit of a test
_open: list[Any] = []


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A browser that ends with the block; within another such block, the browser of that one."""
    from playwright.sync_api import sync_playwright

    if _open:
        yield _open[-1]
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        _open.append(browser)
        try:
            yield browser
        finally:
            _open.remove(browser)
            browser.close()


@contextlib.contextmanager
def browsing(url: str, width: int = 1440) -> Iterator[tuple[Any, list[str]]]:
    """A page with cookies and a memory of its own, and what its console complains of."""
    with launched() as browser:
        context = browser.new_context(viewport={"width": width, "height": 900})
        try:
            opened = context.new_page()
            opened.set_default_timeout(PATIENCE_MS)
            complaints: list[str] = []
            opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
            opened.on("pageerror", lambda e: complaints.append(str(e)))
            opened.goto(url)
            yield opened, complaints
        finally:
            context.close()
