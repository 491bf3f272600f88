"""The write lane: one writer a process, group commit, and the books of a batch."""
