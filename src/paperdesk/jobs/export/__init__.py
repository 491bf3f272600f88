"""Exports: jobs that write what an account has and did into a file."""
