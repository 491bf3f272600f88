"""Accounts as their owners handle them: open, change, reset, clone."""
