"""Manifold: prediction markets."""
