"""StockData.org: quotes of US stocks by polling."""
