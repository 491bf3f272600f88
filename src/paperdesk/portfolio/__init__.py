"""The portfolio: what an account holds, is worth, and was worth over time."""
