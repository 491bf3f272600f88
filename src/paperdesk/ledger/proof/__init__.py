"""The proof: replays the journal apart from the code that wrote it, and compares the books."""
