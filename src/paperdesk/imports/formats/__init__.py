"""The files that are understood, one module a format."""
