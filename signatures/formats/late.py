# SPDX-License-Identifier: Apache-2.0
"""Gets a reading process ready for every format: later it opens no file, so schemas and codecs are fetched now."""

import codecs
from typing import Any

from signxml.verifier import XMLVerifier

from ..proofs import fast


def load() -> str:
    """Fetch them; says what will verify SM2."""
    verifier: Any = XMLVerifier
    verifier.schemas()
    # Names in containers that do not say UTF-8.
    codecs.lookup("cp437")
    return fast.prefer()
