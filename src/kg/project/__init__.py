"""A project: one dataset with its ontology, queries and `site.yaml`, apart from the engine that serves it.

- `description`: `Project`, what `site.yaml` says, as frozen dataclasses
- `reading`: `read_project(root)` reads and checks `site.yaml`
- `location`: `project_root()`, the folder that commands work on
"""
