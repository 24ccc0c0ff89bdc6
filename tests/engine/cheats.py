"""A runtime whose word is not to be trusted: what a bot that broke out of its language might say."""

from __future__ import annotations

import struct

from arena.runtime.bot import BotRuntime


class Cheat(BotRuntime):
    """Claims a little more cash than it has, from its third answer on."""

    answers = 0

    def call(self, payload: bytes) -> bytes:
        reply = super().call(payload)
        self.answers += 1
        if self._bot_name != "Cheat" or self.answers < 3:
            return reply
        done, cash, realized = struct.unpack_from("<I2d", reply)
        return struct.pack("<I2d", done, cash + 0.01, realized) + reply[20:]
