"""The shapes of requests and answers about accounts, tokens, what was done, and honest bots."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserRequest(_Request):
    """A new user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "ada", "admin": False}]})

    name: str = Field(min_length=1, max_length=40, description="The name on the board.")
    admin: bool = Field(False, description="Whether seasons, models, users and all bots are the user's to manage.")


class TokenRequest(_Request):
    """A new token."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "notebook", "scopes": ["read", "submit"], "days": 90}]}
    )

    name: str = Field(min_length=1, max_length=60, description="What it is for.")
    scopes: list[Literal["read", "submit", "manage-own", "admin"]] = Field(
        ["read", "submit"], min_length=1, max_length=4, description="What it may be used for."
    )
    days: float | None = Field(90, gt=0, le=366, description="Days that it is of use; null for ever.")


class DisqualifyRequest(_Request):
    """Why a bot is taken out of the ranking."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "One of forty copies of one program."}]})

    reason: str = Field(
        min_length=1,
        max_length=500,
        pattern=r"\w",
        description="A sentence that everybody can read: it holds a letter.",
    )


class UserItem(BaseModel):
    """A user."""

    id: str
    name: str
    admin: bool
    has_password: bool
    created_at: float
    disabled_at: float | None


class UserList(BaseModel):
    """All users, by name."""

    items: list[UserItem]


class NewUser(UserItem):
    """A user, with the link that signs in once."""

    link: str = Field(description="Address that signs the user in once, within a day. It is shown this once.")


class SignInLinkDetail(BaseModel):
    """A link that signs in once."""

    link: str


class TokenItem(BaseModel):
    """A token without what is secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    revoked_at: float | None


class TokenList(BaseModel):
    """A user's tokens, newest first."""

    items: list[TokenItem]


class NewToken(TokenItem):
    """A token that was just made."""

    token: str = Field(description="The token itself. It is shown this once.")


class QuotaItem(BaseModel):
    """A quota and what is used of it; `limit` is null where there is none."""

    quota: str
    limit: int | None
    used: int | None
    resets_at: float | None


class Me(BaseModel):
    """Who asks, and what is left of their quotas and budgets."""

    name: str = Field(description="Empty for somebody who is not known.")
    by: str = Field(description="session, token, arena token, this machine or anonymous.")
    user_id: str | None
    scopes: list[str]
    admin: bool
    accounts: bool = Field(description="Whether the arena has accounts.")
    quotas: list[QuotaItem]
    budgets: list[dict[str, Any]] = Field(description="Of models' tokens and dollars, as /models shows them.")


class ActivityItem(BaseModel):
    """Something that was done."""

    n: int
    time: float
    actor: str
    by: str
    address: str
    action: str
    object: str
    outcome: int = Field(description="HTTP status, or 0 for a command that was carried out.")
    detail: dict[str, Any]
    hash: str = Field(description="SHA-256 over this row and the hash of the one before it.")


class ActivityPage(BaseModel):
    """What was done, newest first."""

    items: list[ActivityItem]
    next_cursor: int | None


class BotName(BaseModel):
    """A bot and whose it is."""

    bot_id: str
    name: str
    author: str


class Flag(BaseModel):
    """Something to know of a bot's honesty: same source, same orders, disqualified."""

    kind: str
    sentence: str
    bots: list[BotName]


class FlagList(BaseModel):
    """All flags of a season, or of a bot."""

    items: list[Flag]
