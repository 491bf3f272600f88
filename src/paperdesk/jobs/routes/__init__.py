"""The routes under /api/jobs."""
