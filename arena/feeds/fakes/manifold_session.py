"""One connection to the fake Manifold: its topics, and the acknowledgements of its messages.

No sockets here: text goes in, text comes out.
"""

from __future__ import annotations

import json
from typing import Any


class Session:
    """The topics of one connection, how often it pinged, and when it was last seen to."""

    def __init__(self, now: float) -> None:
        self.topics: dict[str, None] = {}
        self.pings = 0
        self.last_ping = now

    def wants(self, topic: str) -> bool:
        """Say whether a broadcast goes to this connection."""
        return topic in self.topics

    def reply(self, text: str | bytes, now: float) -> str:
        """Return the acknowledgement of one message."""
        try:
            message = json.loads(text)
        except ValueError:
            return _refusal("Message was not valid UTF-8 encoded JSON.")
        if not _is_proper(message):
            return _refusal("Error parsing message.")
        self._obey(message, now)
        return json.dumps({"type": "ack", "txid": message["txid"], "success": True})

    def _obey(self, message: dict[str, Any], now: float) -> None:
        if message["type"] == "ping":
            self.pings += 1
            self.last_ping = now
        elif message["type"] == "subscribe":
            self.topics.update(dict.fromkeys(message["topics"]))
        elif message["type"] == "unsubscribe":
            for topic in message["topics"]:
                self.topics.pop(topic, None)


def broadcast(topic: str, data: dict[str, Any]) -> str:
    """Return the text of a broadcast."""
    return json.dumps({"type": "broadcast", "topic": topic, "data": data}, separators=(",", ":"))


def _is_proper(message: Any) -> bool:
    if not isinstance(message, dict) or type(message.get("txid")) not in {int, float}:
        return False
    kind, topics = message.get("type"), message.get("topics")
    if kind in {"subscribe", "unsubscribe"}:
        return isinstance(topics, list) and all(isinstance(topic, str) for topic in topics)
    return kind == "ping" or (kind == "identify" and isinstance(message.get("uid"), str))


def _refusal(error: str) -> str:
    return json.dumps({"type": "ack", "success": False, "error": error})
