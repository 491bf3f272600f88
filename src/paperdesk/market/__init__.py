"""Prices: sources, the feed that asks them, the board of latest quotes, bars and streams."""
