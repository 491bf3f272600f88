"""What shares sold short cost, and ask for: the fee for borrowing them, and margin calls."""
