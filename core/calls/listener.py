# SPDX-License-Identifier: Apache-2.0
"""Sockets of this machine whose file appears only when they answer."""

import socket
from pathlib import Path


def listening(path: Path, *, mode: int, backlog: int = 128) -> socket.socket:
    """A Unix socket at ``path`` with the permissions ``mode``; a dead predecessor's file is replaced.

    The socket is bound under a name of its own and moved when it listens: whoever sees the file is not refused, and
    nobody meets it with wider permissions than ``mode``.

    Raises:
        OSError: the folder cannot be written, or the path is too long for a socket.
    """
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(draft))
        draft.chmod(mode)
        listener.listen(backlog)
        draft.replace(path)
    except OSError:
        listener.close()
        raise
    return listener
