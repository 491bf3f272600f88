"""The routes of webhooks and signals."""
