"""Binance: the spot exchange's public streams."""
