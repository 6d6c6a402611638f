# SPDX-License-Identifier: Apache-2.0
"""What a document may hide from whoever reads it, or do behind the reader's back. Signed or not, one should know."""

from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader


def hidden(reader: PdfFileReader) -> tuple[str, ...]:
    """Short words: "layers", "scripts", "attachments", "actions"."""
    root: Any = reader.root
    names: Any = _entry(root, "/Names")
    found = []
    properties: Any = _entry(root, "/OCProperties")
    shown: Any = _entry(properties, "/D")
    if _entry(shown, "/OFF") or _entry(shown, "/BaseState") == "/OFF":
        found.append("layers")
    opening = _entry(root, "/OpenAction")
    act = _entry(opening, "/S") if isinstance(opening, dict) else {}
    if "/JavaScript" in names or act == "/JavaScript":
        found.append("scripts")
    if "/EmbeddedFiles" in names or _entry(root, "/AF"):
        found.append("attachments")
    if _entry(root, "/AA") or (act and act not in {"/GoTo", "/JavaScript"}):
        found.append("actions")
    return tuple(found)


def _entry(of: Any, name: str) -> Any:
    """What stands there, references followed; an empty dictionary for nothing."""
    found = of.get(name, {})
    return found.get_object() if hasattr(found, "get_object") else found
