"""What a request may do: scopes of callers, and the right that a route needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token may be used for; each stands alone, but `admin` holds all of them."""

    READ = "read"
    SUBMIT = "submit"
    MANAGE_OWN = "manage-own"
    ADMIN = "admin"


class Right(StrEnum):
    """What a route needs."""

    OPEN = "open"  # anybody, whatever READS says: to sign in
    READ = "read"  # anybody, or members where READS=members
    SUBMIT = "submit"
    OWN = "manage-own"  # the owner of the object in its address, or an admin
    SIGNED_IN = "signed in"  # a person at the page, for things no token may do
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)
USER_SCOPES = ALL_SCOPES - {Scope.ADMIN}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: a user, the holder of ARENA_TOKEN, this machine without accounts, or nobody known.

    `by` says how: session, token, arena token, this machine, anonymous. `csrf` is what a page must send with a change.
    """

    by: str
    name: str = ""
    user_id: str | None = None
    scopes: frozenset[Scope] = frozenset()
    csrf: str = ""

    @property
    def known(self) -> bool:
        """Say whether it is known who calls."""
        return self.by != "anonymous"

    @property
    def admin(self) -> bool:
        """Say whether everything may be done."""
        return Scope.ADMIN in self.scopes

    def has(self, scope: Scope) -> bool:
        """Say whether a scope is among the caller's."""
        return self.admin or scope in self.scopes


_SCOPES = {Right.READ: Scope.READ, Right.SUBMIT: Scope.SUBMIT, Right.OWN: Scope.MANAGE_OWN}

ANONYMOUS = Caller("anonymous")
OPERATOR = Caller("arena token", "operator", None, ALL_SCOPES)
THIS_MACHINE = Caller("this machine", "this machine", None, ALL_SCOPES)


def refusal(caller: Caller, right: Right, *, owns: bool, members_only: bool) -> str | None:
    """Return why a caller may not use a right, None where it may; `owns` is about the object of the address."""
    if right is Right.OPEN or (right is Right.READ and not members_only):
        return None
    if right is Right.SIGNED_IN:
        ready = caller.by == "session" and caller.user_id is not None
        return None if ready else "Sign in on the page to do this: a token is not enough."
    if caller.admin:
        return None
    if right is Right.ADMIN:
        return "Only an admin may do this."
    scope = _SCOPES[right]
    if not caller.has(scope):
        return _lacks(caller, scope)
    owned = right is not Right.OWN or owns
    return None if owned else "It belongs to somebody else: only its owner or an admin may do this."


def _lacks(caller: Caller, scope: Scope) -> str:
    if not caller.known:
        return "Sign in first, or send a token: Authorization: Bearer ..."
    return f"This token has no scope '{scope}': make one that has it."
