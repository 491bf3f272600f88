"""Research: stocks in domains, their prices fetched every few minutes, their scores and ranks."""
