"""Corporate actions: splits, dividends, changes of symbol, spin-offs."""
