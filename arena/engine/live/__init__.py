"""The running season: one clock, one tick at a time."""
