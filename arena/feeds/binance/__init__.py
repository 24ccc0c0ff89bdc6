"""Binance Spot: trades or mini-tickers by WebSocket, missed trades by REST."""
