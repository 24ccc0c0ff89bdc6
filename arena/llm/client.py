"""One call to an OpenAI-compatible chat server, every reply validated.

The package maps most failures to exceptions; the replies that it passes through as if they were
fine (an error in a 200, no choices, HTML, broken JSON, no content) are told apart here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arena.core.text import clean_line
from arena.errors import GenerationError

Message = dict[str, str]

MAX_COMPLETION = 512 * 1024


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer; `cut` says that it ran into its length limit."""

    text: str
    model: str
    cut: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ModelServer:
    """Where a model is reached and how long it may take."""

    base_url: str
    api_key: str
    timeout: float = 120.0
    max_tokens: int = 8000
    max_tokens_field: str = "max_tokens"
    retries: int = 2

    def complete(self, model: str, messages: Sequence[Message]) -> Completion:
        """Ask for an answer; GenerationError says in words why there is none."""
        started = time.monotonic()
        try:
            return _validated(self._ask(model, messages), model, started)
        except GenerationError as error:
            # Some servers repeat the key in their complaint about it.
            words = str(error).replace(self.api_key, "***") if self.api_key else str(error)
            raise GenerationError(words) from None
        except (TypeError, AttributeError, LookupError) as error:
            # The package builds its objects without looking at what has come.
            raise GenerationError(f"The model server's answer has a strange shape: {_short(error)}") from None

    def _ask(self, model: str, messages: Sequence[Message]) -> Any:
        import openai

        from arena.llm.patience import bounded_client

        try:
            with openai.OpenAI(
                api_key=self.api_key or "none",
                base_url=self.base_url or None,
                timeout=self.timeout,
                max_retries=self.retries,
                http_client=bounded_client(self.timeout),
            ) as client:
                return self._create(client, model, messages)
        except openai.APITimeoutError:
            raise GenerationError(f"The model server gave no answer within {self.timeout:g} s.") from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise GenerationError(f"The model server cannot be reached ({cause}).") from None
        except openai.APIStatusError as error:
            raise GenerationError(_status_sentence(error)) from None
        except openai.OpenAIError as error:
            raise GenerationError(f"The model server's answer cannot be used: {_short(error)}") from None
        except (ValueError, RecursionError):
            raise GenerationError("The model server answered with broken JSON.") from None

    def _create(self, client: Any, model: str, messages: Sequence[Message]) -> Any:
        import openai

        request = {
            "model": model, "messages": list(messages), "temperature": 0.2,
            self.max_tokens_field: self.max_tokens,
        }  # fmt: skip
        try:
            return client.chat.completions.create(**request)
        except openai.BadRequestError as error:
            # Newer models refuse a temperature; everything else about a 400 is final.
            if "temperature" not in str(error):
                raise
            del request["temperature"]
            return client.chat.completions.create(**request)


def _short(error: object) -> str:
    return str(error).replace("\n", " ")[:300]


def _status_sentence(error: Any) -> str:
    status, message = error.status_code, _short(getattr(error, "message", error))
    if status in {401, 403}:
        return f"The model server refuses the key (HTTP {status}): check OPENAI_API_KEY."
    if status == 404:
        return "The model server knows no such model or path (HTTP 404): check OPENAI_MODEL, OPENAI_BASE_URL."
    if status == 402:
        return "The model server says that there are no credits left (HTTP 402)."
    if status == 429:
        return f"The model server asks to slow down, or its quota is used up (HTTP 429): {message}"
    return f"The model server answered HTTP {status}: {message}"


def _validated(reply: Any, model: str, started: float) -> Completion:
    choices = getattr(reply, "choices", None)
    if isinstance(reply, str) or not hasattr(reply, "model_extra"):
        raise GenerationError("The model server's address answers with a page, not an API: check OPENAI_BASE_URL.")
    if not choices:
        told = (reply.model_extra or {}).get("error")
        why = _short(told.get("message", told)) if isinstance(told, dict) else "no choices"
        raise GenerationError(f"The model server answered without a completion: {why}")
    choice = choices[0]
    text = getattr(choice.message, "content", None)
    if not isinstance(text, str) or not text.strip():
        refusal = getattr(choice.message, "refusal", None)
        reason = f"it refuses: {_short(refusal)}" if refusal else f"finish reason {choice.finish_reason}"
        raise GenerationError(f"The model gave no text ({reason}).")
    if choice.finish_reason in {"content_filter", "error"}:
        raise GenerationError(f"The model server broke the answer off ({choice.finish_reason}).")
    usage = getattr(reply, "usage", None)
    return Completion(
        text=text[:MAX_COMPLETION].encode("utf-8", "replace").decode(),
        model=clean_line(str(getattr(reply, "model", None) or model), 200),
        cut=choice.finish_reason == "length" or len(text) > MAX_COMPLETION,
        prompt_tokens=_count(getattr(usage, "prompt_tokens", None)),
        completion_tokens=_count(getattr(usage, "completion_tokens", None)),
        seconds=time.monotonic() - started,
    )


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 31 else None
