"""Watchlists: the tickers that an account looks at."""
