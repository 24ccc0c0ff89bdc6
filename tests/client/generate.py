"""Makes `arena/client/synchronous.py` of `asynchronous.py`, so that there is one client: `make client`.

Long statements may fit a line once `await` is gone, so the formatter has the last word.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[2] / "arena" / "client"
SOURCE, TARGET = CLIENT / "asynchronous.py", CLIENT / "synchronous.py"
_CHANGES = (
    (r"The client for asyncio programs\.", "The client for plain programs and notebooks."),
    (r"`synchronous\.py` is made from this file by `make client`; change this one\.",
     "Made from `asynchronous.py` by `make client`; change that one."),
    (r"import asyncio\n", ""),
    (r"asyncio\.sleep", "time.sleep"),
    (r"AsyncGenerator\[Event, None\]", "Generator[Event, None, None]"),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\b(async|await) ", ""),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"\baclose\b", "close"),
    (r"\baread\b", "read"),
)  # fmt: skip


def synchronous(source: str) -> str:
    """Return the client without coroutines."""
    for pattern, replacement in _CHANGES:
        source = re.sub(pattern, replacement, source)
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    TARGET.write_text(synchronous(SOURCE.read_text("utf-8")), "utf-8")
