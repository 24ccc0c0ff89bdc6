"""The clock, the bots on it, and the tick that both live markets and replays go through."""
