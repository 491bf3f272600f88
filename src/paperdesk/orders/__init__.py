"""Orders: placing them, matching those that rest, and what becomes of them."""
