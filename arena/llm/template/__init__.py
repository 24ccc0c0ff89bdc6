"""The template provider: writes bots from plain words by rules, where no model is configured."""

from arena.llm.template.writer import NotUnderstood, Purse, Written, write_bot

__all__ = ["NotUnderstood", "Purse", "Written", "write_bot"]
