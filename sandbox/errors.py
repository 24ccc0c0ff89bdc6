"""What can go wrong on our side of the wall.

SandboxError
  SandboxUnavailable   this host cannot lock a bot down: no bots run, in words
  ZygoteDied           the process that forks workers is gone: restart it, no strike
  OutOfSlots           no unused uid is left: the new bot is refused
"""

from __future__ import annotations


class SandboxError(Exception):
    """Base of the sandbox's own faults."""


class SandboxUnavailableError(SandboxError):
    """This host cannot give a required layer; the sentence names it."""


class ZygoteDiedError(SandboxError):
    """The zygote ended; its workers are gone and must be started again."""


class OutOfSlotsError(SandboxError):
    """Every worker identity is in use."""
