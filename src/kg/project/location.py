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
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / SITE).is_file():
        return checkout
    return Path(__file__).resolve().parents[1] / "dataset"
