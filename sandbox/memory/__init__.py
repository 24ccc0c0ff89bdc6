"""Saves what a bot remembers, and puts it back in a fresh process; both happen inside a locked worker."""
