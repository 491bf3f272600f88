"""The ledger: accounts, the journal, and the one writer through which all money moves."""
