"""Finds records for names and identifiers: `router` (Reconciliation API), `resolve`, `service`, `version_0_2`."""
