"""Who did what: an append-only line for everything that changes the desk."""
