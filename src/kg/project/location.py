"""Which folder is the project."""

from __future__ import annotations

import os
from pathlib import Path

SITE = "site.yaml"


def project_root() -> Path:
    """The folder that holds `site.yaml`, ontology/, queries/ and data/.

    `KG_PROJECT`, else the checkout this module runs from, else the copy inside the installed wheel.
    """
    if configured := os.environ.get("KG_PROJECT"):
        return Path(configured)
    return engine_dataset()


def engine_dataset() -> Path:
    """The dataset that comes with the engine: the checkout, or its copy inside the installed wheel."""
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / SITE).is_file() else Path(__file__).resolve().parents[1] / "dataset"


def is_checkout(root: Path) -> bool:
    """Whether a project is a folder that people work in, not the copy inside an installed package."""
    return (root / "pyproject.toml").is_file()
