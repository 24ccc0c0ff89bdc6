"""Any exchange that the package ccxt supports, by polling."""
