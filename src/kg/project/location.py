"""Which folder is the project."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SITE = "site.yaml"
_INSTALLED = Path(__file__).resolve().parents[1] / "dataset"


def project_root() -> Path:
    """The folder that holds `site.yaml`, ontology/, queries/ and data/.

    `KG_PROJECT`, else the nearest folder with a `site.yaml` from the working directory upwards, else the dataset that
    comes with the engine.
    """
    if configured := os.environ.get("KG_PROJECT"):
        return Path(configured)
    with contextlib.suppress(OSError):
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / SITE).is_file():
                return folder
    return engine_dataset()


def engine_dataset() -> Path:
    """The dataset that comes with the engine: the checkout, or its copy inside the installed wheel."""
    checkout = _INSTALLED.parents[2]
    return checkout if (checkout / SITE).is_file() else _INSTALLED


def is_workplace(root: Path) -> bool:
    """Whether releases and generated files belong into the project's folder: not into an installed package."""
    return root.resolve() != _INSTALLED and os.access(root, os.W_OK)
