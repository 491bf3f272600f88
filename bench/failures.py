"""What makes a benchmark worthless, and so ends it with an error."""


class Failed(Exception):
    """A server failed, or did not do what it acknowledged. The message says what was seen."""
