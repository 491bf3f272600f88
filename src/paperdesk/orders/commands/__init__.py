"""What the ledger's writer is asked to do with orders."""
