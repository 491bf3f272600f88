"""Replaying a file of trades: what happened elsewhere, at its own times and prices."""
