"""Manifold: probabilities of prediction markets, by WebSocket broadcasts and by polling."""
