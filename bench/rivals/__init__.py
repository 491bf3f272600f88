"""What the desk is measured beside. Each runs in a process of its own."""

READY = "ready at"
"""What a rival prints, followed by its address, when it can be asked."""
