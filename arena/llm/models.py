"""The models by name: where each is reached, what it costs, how many calls it takes at once."""

from __future__ import annotations

import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from arena.config import Settings
from arena.errors import GenerationError
from arena.llm.client import ModelServer

TEMPLATE = "template"
PER_PRICE = 1_000_000  # tokens that a price is for
_TEMPLATE_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the arena calls it (`name`) and as its server does (`model`); prices are for a million tokens."""

    name: str
    model: str
    server: ModelServer
    concurrency: int = 4
    price_in: float | None = None
    price_out: float | None = None

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what so many tokens cost in dollars, None where the price is not known."""
        if self.price_in is None or self.price_out is None:
            return None
        return (prompt_tokens * self.price_in + completion_tokens * self.price_out) / PER_PRICE

    def document(self) -> dict[str, Any]:
        """Return what everybody may know of it: not the key, nor a password in its address."""
        address = urllib.parse.urlsplit(self.server.base_url or "https://api.openai.com/v1")
        return {
            "name": self.name, "model": self.model, "host": address.netloc.rpartition("@")[2],
            "concurrency": self.concurrency, "context": self.server.context or None,
            "max_tokens": self.server.max_tokens, "stream": self.server.stream,
            "price_in": self.price_in, "price_out": self.price_out,
        }  # fmt: skip


@dataclass(slots=True)
class Models:
    """All models of an arena.

    Those of arena.toml are known by their names. Where the environment names a server, any other name is taken for
    a model of that server, as it may have many.
    """

    named: dict[str, Model]
    default: str = TEMPLATE
    environment: Model | None = None
    _others: dict[str, Model] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, name: str) -> Model:
        """Return a model by its name; GenerationError says which there are."""
        if name in self.named:
            return self.named[name]
        if self.environment is None:
            raise GenerationError(self.unknown(name))
        with self._lock:
            base = self.environment
            made = Model(name, name, base.server, base.concurrency, base.price_in, base.price_out)
            return self._others.setdefault(name, made)

    def knows(self, name: str) -> bool:
        """Say whether a name can be asked."""
        return name == TEMPLATE or name in self.named or self.environment is not None

    def unknown(self, name: str) -> str:
        """Return the sentence about a model that is not there."""
        if not self.named:
            return "No model is configured: set OPENAI_MODEL and OPENAI_BASE_URL or a key, or [models.NAME]."
        return f"There is no model '{name}' here; there are {', '.join([*self.named, TEMPLATE])}."

    def lane(self, name: str) -> tuple[str, int]:
        """Return which calls count together with those of a model, and how many of them may run at once."""
        if name == TEMPLATE:
            return TEMPLATE, _TEMPLATE_AT_ONCE
        if name in self.named:
            return name, self.named[name].concurrency
        # All models of the environment's server share what it can bear.
        return "", self.environment.concurrency if self.environment else 1

    @property
    def at_once(self) -> int:
        """Return how many calls may run at once, over all models."""
        own = self.environment.concurrency if self.environment else 0
        return sum(model.concurrency for model in self.named.values()) + own

    def documents(self) -> list[dict[str, Any]]:
        """Return all models that have a name, the usual one first, and the template at the end."""
        found = [model.document() for model in self.named.values()]
        if self.environment is not None and self.environment.name and self.environment.name not in self.named:
            found.append(self.environment.document())
        nothing = dict.fromkeys(("model", "host", "context", "max_tokens"))
        free = {"concurrency": _TEMPLATE_AT_ONCE, "stream": False, "price_in": 0.0, "price_out": 0.0}
        found.append({"name": TEMPLATE, **nothing, **free})
        return sorted(
            ({**one, "default": one["name"] == self.default} for one in found), key=lambda one: not one["default"]
        )


def models_of(settings: Settings) -> Models:
    """Return the models that the settings describe."""
    named = {}
    for name, one in settings.models.items():
        server = ModelServer(
            one.base_url, one.api_key.get_secret_value(), one.timeout_seconds, one.max_tokens, one.max_tokens_field,
            max_tokens_limit=one.max_tokens_limit, temperature=one.temperature, context=one.context,
            stream=one.stream, parameters=one.parameters,
        )  # fmt: skip
        named[name] = Model(name, one.model, server, one.concurrency, one.price_in, one.price_out)
    environment = None
    # OPENAI_MODEL may name one of arena.toml's; without a server of its own nothing else can be asked by it.
    if settings.openai_base_url or (settings.openai_model and settings.openai_model not in named):
        server = ModelServer(
            settings.openai_base_url, settings.openai_api_key.get_secret_value(), settings.openai_timeout_seconds,
            settings.openai_max_tokens, settings.openai_max_tokens_field,
            max_tokens_limit=settings.openai_max_tokens_limit,
        )  # fmt: skip
        environment = Model(settings.openai_model, settings.openai_model, server, settings.openai_concurrency)
    default = settings.openai_model or next(iter(named), TEMPLATE)
    return Models(named, default, environment)
