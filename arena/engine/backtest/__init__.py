"""Bots over a recorded market, outside any season."""
