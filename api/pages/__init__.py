"""Pages that belong to no other package.

- `front`: `/` and `/about`; `charts`: `/charts`; `explain`: `/explain`
- `assets`: `/static`
"""
