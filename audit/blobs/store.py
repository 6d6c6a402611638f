# SPDX-License-Identifier: Apache-2.0
"""What a log asks of the place where its public part lies."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class BlobDiffers(Exception):
    """At a path that is written once there are other bytes than ours; ``path`` says where."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Blobs(Protocol):
    """Files by path, to be read."""

    def get(self, path: str) -> bytes | None:
        """The bytes at a path; None if there is nothing.

        Raises:
            Unavailable: nobody can say now.
        """
        ...


class BlobStore(Protocol):
    """Files by path, each of them whole or absent.

    Every verb may be repeated after it failed. ``TilesUnavailable`` means: what happened is unknown, and trying again
    settles it. ``OSError`` means: nothing here can be believed any more, the process must stop.
    """

    def get(self, path: str) -> bytes | None:
        """The bytes at a path; None if there is nothing.

        Whatever ``create`` or ``replace`` put there before they returned is seen by every later reader. Behind a cache
        of others a ``replace`` may be seen late, never torn.

        Raises:
            TilesUnavailable: nobody can say now.
        """
        ...

    def create(self, files: Mapping[str, bytes]) -> None:
        """Put files that are never changed: afterwards exactly these bytes are there for good, and were read back.

        A file that is there with the same bytes is as good as one that was put: an answer that got lost, or a
        predecessor who died.

        Raises:
            BlobDiffers: somebody else's bytes are there; they are left as they are.
            TilesUnavailable: some of the files are there, perhaps all.
        """
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Put the one file that changes; afterwards it is there for good.

        Raises:
            TilesUnavailable: the old one is there, or the new one.
        """
        ...

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; one that is not there is no error.

        Raises:
            TilesUnavailable: some of them may still be there.
        """
        ...

    def drop(self, folder: str) -> None:
        """Remove everything below a folder; nothing there is no error.

        Raises:
            TilesUnavailable: some of it may still be there.
        """
        ...
