# SPDX-License-Identifier: Apache-2.0
"""What a ceremony made and everybody may know."""

from pathlib import Path

from ..hierarchy import anchors
from ..signer.keys import write_private

_PUBLIC_MODE = 0o644


def publish(path: Path, content: bytes) -> None:
    """Put what everybody may read in its place, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, content)
    path.chmod(_PUBLIC_MODE)


def publish_anchors(public: Path) -> None:
    """Bring the one file of roots up to date, which clients of the site's servers pin."""
    publish(public / "anchors.pem", anchors(public))
