"""Releases: immutable, published datasets, and everything that is read from them.

- `store`: writes, activates and opens releases; `mirror`: releases in a remote engine
- `entities`, `paths`, `search`: records, links between them, and search by name
- `explanation`: proofs of facts
- `catalogue`: description and statistics (DCAT, VoID)
- `changes`, `history`: changes between releases
"""
