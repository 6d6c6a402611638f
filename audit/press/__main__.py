# SPDX-License-Identifier: Apache-2.0
"""A helper of the log: answers on the socket whose descriptor it was given, until the other end is closed."""

import signal
import socket
import sys

from .line import HEAD, READY, received
from .work import done


def main(descriptor: int) -> None:
    """Work until nobody asks any more."""
    # Whoever stops the log tells the log, which finishes what it took.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as line:
        line.sendall(READY)
        while True:
            try:
                length, work = HEAD.unpack(received(line, HEAD.size))
                answer = done(work, received(line, length))
                line.sendall(HEAD.pack(len(answer), work) + answer)
            except ConnectionError:
                return


if __name__ == "__main__":
    main(int(sys.argv[1]))
