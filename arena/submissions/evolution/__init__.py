"""Evolves bots: children from parents, chosen on train tapes, with a curve on held-out tapes beside."""
