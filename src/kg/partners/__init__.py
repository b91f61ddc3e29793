"""Reads the datasets of partners: RDF that others publish, with links to this dataset.

- `datasets`: loads all partners' datasets, and checks what they may state
- `descriptions`: `dataset.yaml`, which describes one of them
- `fetch`: files on disk or over HTTP, with limits, checksums and a cache
- `process`: parses untrusted RDF in a child process
"""
