"""Alerts that come in through webhooks, and what becomes of them."""
