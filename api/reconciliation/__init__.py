"""The Reconciliation API and identifier resolution."""
