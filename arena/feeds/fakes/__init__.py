"""Loopback doubles of the venues: they speak the true protocols and misbehave on request."""
