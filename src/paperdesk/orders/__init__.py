"""Orders: placing them and having them filled."""
