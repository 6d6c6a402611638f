# SPDX-License-Identifier: Apache-2.0
"""A helper of the log: does what it is asked until the other end is closed."""

import sys

from core.crew import serve

from .work import done

if __name__ == "__main__":
    serve(int(sys.argv[1]), done)
