# SPDX-License-Identifier: Apache-2.0
"""A helper of the authority: lints what it is asked until the other end is closed."""

import gc
import sys

from core.crew import serve

from ..x509.lint import findings
from .line import read_asked, told


def main(descriptor: int) -> None:
    """Work until nobody asks any more."""
    # What is loaded by now stays; collecting what lint leaves once for each question saves a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.disable()
    serve(descriptor, lambda question: told([findings(draft) for draft in read_asked(question)]), rest=gc.collect)


if __name__ == "__main__":
    main(int(sys.argv[1]))
