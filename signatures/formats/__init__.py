# SPDX-License-Identifier: Apache-2.0
"""Finds the signatures of any file we know, and says of each what ``pades`` says of those in PDF.

``inspect`` looks at the bytes, never at a name or a media type. What is malformed, too costly or of an unknown kind is
a failure of the reading, never "no signature". Runs only inside a reading process.
"""

from .inspection import inspect as inspect
from .kinds import kind_of as kind_of
