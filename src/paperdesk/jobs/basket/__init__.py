"""Baskets: jobs whose rows are orders."""
