"""The folder of a partner's dataset as a ZIP archive or as a patch, with paths below the root of the project."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

ZIP, PATCH = "zip", "patch"
MEDIA_TYPES = {ZIP: "application/zip", PATCH: "text/x-diff"}
# The earliest time that an archive can state: the same folder is always the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o644 << 16


def packed(files: Mapping[str, str], as_format: str) -> bytes:
    """Return the files, by path, in one of the formats."""
    return _archive(files) if as_format == ZIP else "".join(_added(p, t) for p, t in files.items()).encode()


def _archive(files: Mapping[str, str]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _PLAIN_FILE
            archive.writestr(entry, text.encode())
    return output.getvalue()


def _added(path: str, text: str) -> str:
    """Return the part of a patch, in Git's format, that adds a file; its text ends with a line break."""
    lines = text.removesuffix("\n").split("\n")
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)
