"""The statement of performance: the curve of a journal, and the figures of a range of it."""
