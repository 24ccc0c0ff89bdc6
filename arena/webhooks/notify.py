"""Other services than web servers, by Apprise where it is installed: Telegram, Discord, mail and more.

Their addresses hold keys, and some name hosts that nothing checks, so that only an admin adds them.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

from arena.errors import ArenaError, MissingLibraryError, NotFoundError

_TITLE = "Arena: {event}"


def is_service(url: str) -> bool:
    """Say whether an address is one of Apprise."""
    scheme, found, _ = url.partition("://")
    return bool(found) and scheme.lower() not in {"http", "https"}


def _library() -> Any:
    if importlib.util.find_spec("apprise") is None:
        raise MissingLibraryError("Such an address needs a library that is not installed: pip install 'arena[notify]'.")
    import apprise

    # Its own lines hold the addresses, and those hold keys; what comes of an event is told by us.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise


def check_service(url: str) -> None:
    """Refuse an address that Apprise does not know."""
    if not _library().Apprise().add(url):
        raise NotFoundError(
            "Apprise does not know this address: https://github.com/caronc/apprise lists those it knows."
        )


def notify(url: str, event: str, data: dict[str, Any]) -> str:
    """Send an event in words; ArenaError where the service has not taken it."""
    service = _library().Apprise()
    service.add(url)
    if not service.notify(title=_TITLE.format(event=event), body=in_words(event, data)):
        raise ArenaError("The service did not take it.")
    return "sent"


def in_words(event: str, data: dict[str, Any]) -> str:
    """Return an event as a sentence for people."""
    name = data.get("bot_name") or data.get("name") or "A bot"
    sentences = {
        "admitted": f"{name} is admitted.",
        "rejected": f"A strategy was not admitted: {data.get('reason')}",
        "trade": f"{name}: {data.get('side')} {data.get('size')} {data.get('symbol')} at {data.get('price')}.",
        "error": f"{name} made an error: {data.get('last_error')}",
        "quarantined": f"{name} is quarantined: {data.get('reason')}",
        "rank": f"{name} went from rank {data.get('before')} to rank {data.get('rank')}.",
        "season.end": f"Season {data.get('season')} is closed.",
        "test": "This is a test.",
    }
    return sentences[event]
