"""Resting orders: found by their prices on every tick, and filled by the ledger's writer."""
