"""StockData.org: quotes by polling."""
