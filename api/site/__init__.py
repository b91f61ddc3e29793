"""The release that is served, and the switch to the next one.

- `site`: a release with everything that routers need; `current`: the current site
- `completion`, `profile`: terms and properties for suggestions
"""
