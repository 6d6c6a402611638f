# SPDX-License-Identifier: Apache-2.0
"""A helper of the authority: lints on the socket whose descriptor it was given, until the other end is closed."""

import gc
import signal
import socket
import sys

from ..x509.lint import findings
from .line import READY, read_asked, receive, send, told


def main(descriptor: int) -> None:
    """Work until nobody asks any more."""
    # Whoever stops the authority tells the authority, which finishes what it took.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # What is loaded by now stays; collecting what lint leaves once for each question saves a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.disable()
    with socket.socket(fileno=descriptor) as line:
        line.sendall(READY)
        while True:
            try:
                send(line, told([findings(draft) for draft in read_asked(receive(line))]))
            except ConnectionError:
                return
            gc.collect()


if __name__ == "__main__":
    main(int(sys.argv[1]))
