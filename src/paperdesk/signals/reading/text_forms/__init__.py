"""Alerts that are no JSON: the one-line languages of several bots."""
