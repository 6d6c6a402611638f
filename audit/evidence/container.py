# SPDX-License-Identifier: Apache-2.0
"""The file's form: a ZIP as ASiC-E wants it (ETSI EN 319 162-1), the same bytes for the same content.

`mimetype` comes first and unpacked, META-INF/ holds the manifest, every date is the same, and each file is forgotten
once it is written, so that a file of ten thousand entries needs no more memory than one of ten.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from typing import IO, Any

FORMAT = "tallygate-evidence/2"
MIMETYPE = b"application/vnd.etsi.asic-e+zip"
MANIFEST = "META-INF/manifest.json"
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_UNIX = 3


class Container:
    """One file while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", allowZip64=True)
        self._digests: dict[str, str] = {}
        self.add("mimetype", MIMETYPE, packed=False)

    def add(self, name: str, content: bytes, *, packed: bool = True) -> None:
        """Write one file."""
        info = zipfile.ZipInfo(name, _DATE)
        info.create_system, info.external_attr = _UNIX, _MODE
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        self._zip.writestr(info, content)
        self._digests[name] = hashlib.sha256(content).hexdigest()

    @property
    def listed(self) -> str:
        """SHA-256 of the list of what was written so far, as sha256sum writes it, by name.

        The report says it, so that who seals the report seals every other file.
        """
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._digests.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def finish(self, said: Mapping[str, Any]) -> None:
        """Write the manifest, with what the file says of itself, and the directory."""
        manifest = {"format": FORMAT, **said, "files": self._digests}
        self.add(MANIFEST, json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1).encode())
        self._zip.close()
