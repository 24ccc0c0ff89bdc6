"""The tables of accounts: users, how they sign in, their tokens, what they have used, and what has been done.

No secret is stored: links, sessions and tokens as SHA-256 in hex, passwords as Argon2id.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, Text, false
from sqlmodel import Field, SQLModel

_BIG = BigInteger().with_variant(Integer, "sqlite")


class User(SQLModel, table=True):
    """Somebody with an account; `skeleton` is what the name looks like, so that no other looks the same."""

    __tablename__ = "users"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    skeleton: str = Field(unique=True)
    admin: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    password: str | None = Field(default=None, sa_column=Column(Text))
    created_at: float
    disabled_at: float | None = None


class SignInLink(SQLModel, table=True):
    """A link that signs a user in once."""

    __tablename__ = "sign_in_links"

    hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    created_at: float
    expires_at: float
    used_at: float | None = None


class UserSession(SQLModel, table=True):
    """A browser that is signed in; the row ends with it."""

    __tablename__ = "sessions"

    hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    created_at: float
    seen_at: float
    expires_at: float
    address: str = Field(default="")


class ApiToken(SQLModel, table=True):
    """A token by which a program acts for a user, within its scopes."""

    __tablename__ = "tokens"

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    name: str
    hash: str = Field(unique=True)
    scopes: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None


class QuotaUse(SQLModel, table=True):
    """How much of a daily quota somebody has used on a UTC day."""

    __tablename__ = "quota_use"

    subject: str = Field(primary_key=True)
    quota: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    used: int = 0


class Activity(SQLModel, table=True):
    """Something that was done; `hash` covers this row and the one before it."""

    __tablename__ = "activity"

    n: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    time: float
    actor: str
    actor_id: str | None = None
    by: str
    address: str
    action: str
    object: str
    outcome: int
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    previous: str
    hash: str
