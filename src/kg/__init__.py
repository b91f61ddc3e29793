"""A knowledge graph from curated files: its build, its releases, its queries."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("aikg")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
