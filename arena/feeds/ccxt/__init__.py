"""Every exchange that the package ccxt knows, by polling."""
