"""Receipts: a number, a row or a fact with its query, release, passages, kinds of evidence and citation.

- `claims`: what a receipt vouches for, as an address and back; nothing is stored
- `digests`: short hashes of rows and results, so that an address says what the answer was
- `checking`: whether a claim holds in a store
- `receipt`: the receipt as JSON-LD, text and BibTeX

It imports `kg.release` and what lies below.
"""
