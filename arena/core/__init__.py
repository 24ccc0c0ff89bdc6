"""The rules of the exchange, pure: no clock, chance, files, async or logging in here."""
