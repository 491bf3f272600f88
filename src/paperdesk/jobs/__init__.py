"""Batch jobs: many orders or records as one piece of work, with an outcome for each row."""
