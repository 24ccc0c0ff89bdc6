"""Where prices come from: live feeds, the synthetic market, and recorded files."""
