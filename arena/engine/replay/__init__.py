"""A bot's recorded season run again: to rebuild its memory, or to prove its record."""
