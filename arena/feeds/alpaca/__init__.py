"""Live prices from Alpaca: US stocks and crypto pairs; a free key is needed."""
