# SPDX-License-Identifier: Apache-2.0
"""A ``BlobStore`` in S3-compatible object storage.

What is written once is put with the condition that nothing is there (``If-None-Match: *``), so two writers cannot
overwrite each other, and an answer that got lost is settled by reading. One object is one file of the log, under the
same path, with the headers that a public reader needs: the bucket itself may be the address of the hash tiles.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from core.log import logger

from ..errors import TilesUnavailable
from .store import BlobDiffers

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ObjectStore, S3Config

_R = TypeVar("_R")
_AT_ONCE = 8
_MOST_PARTIALS = 1024
_TILE: "Attributes" = {
    "Content-Type": "application/octet-stream",
    "Cache-Control": "public, max-age=31536000, immutable",
}
_ENTRIES: "Attributes" = {"Content-Type": "application/octet-stream", "Cache-Control": "private, no-store"}
_NOTE: "Attributes" = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "public, max-age=1"}
_log = logger(__name__)


class ObjectBlobs:
    """One log's public part in a bucket."""

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store

    @classmethod
    def open(
        cls,
        url: str,
        *,
        credentials: str,
        endpoint: str = "",
        region: str = "us-east-1",
        authorities: Path | None = None,
        patience: timedelta = timedelta(seconds=5),
    ) -> Self:
        """Speak to ``s3://bucket/prefix``; nothing is asked yet.

        ``credentials`` are the identifier of an access key and its secret, with a colon between them. ``endpoint`` is
        the address of a server that is not Amazon's. ``patience`` bounds one request with its repetitions.

        Raises:
            ValueError: not such an address, or not such credentials.
        """
        parts = urlsplit(url)
        identifier, colon, key = credentials.partition(":")
        if parts.scheme != "s3" or not parts.netloc:
            raise ValueError("must be s3://BUCKET/PREFIX")
        if not identifier or not colon or not key:
            raise ValueError("credentials are IDENTIFIER:SECRET")
        # Named here one by one, because what is not named would be taken from the environment.
        address: S3Config = {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint} if endpoint else {}
        store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=address,
            region=region,
            access_key_id=identifier,
            secret_access_key=key,
            conditional_put="etag",
            skip_signature=False,
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": min(patience, timedelta(seconds=2)),
                "timeout": patience,
                **({"root_certificate": authorities.read_bytes()} if authorities else {}),
            },
            retry_config={
                "max_retries": 3,
                "retry_timeout": patience,
                "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
            },
        )
        return cls(store)

    def get(self, path: str) -> bytes | None:
        """The bytes at a path."""

        def read() -> bytes | None:
            try:
                return obstore.get(self._store, path).bytes().to_bytes()
            except FileNotFoundError as error:
                # A bucket that is not there is a mistake of the operator, and no statement about one file.
                if "NoSuchBucket" in str(error):
                    raise TilesUnavailable from error
                return None

        return _asked(read)

    def create(self, files: Mapping[str, bytes]) -> None:
        """Put under the condition that nothing is there, and read back."""
        with ThreadPoolExecutor(min(_AT_ONCE, max(1, len(files))), "tiles") as threads:
            # A list, so that every one is waited for and the first failure is raised.
            list(threads.map(self._create, files.keys(), files.values()))

    def replace(self, path: str, content: bytes) -> None:
        """Put, whatever is there."""
        _asked(lambda: obstore.put(self._store, path, content, attributes=_NOTE, use_multipart=False))

    def remove(self, paths: Sequence[str]) -> None:
        """Delete objects."""

        def remove() -> None:
            try:
                # S3 takes them all at once and says nothing of those that are not there; other stores stop at one.
                obstore.delete(self._store, list(paths))
            except FileNotFoundError:
                for path in paths:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._store, path)

        _asked(remove)

    def drop(self, folder: str) -> None:
        """Remove what lies below."""

        def remove() -> None:
            pages = obstore.list(self._store, f"{folder}/", chunk_size=_MOST_PARTIALS)
            if found := [each["path"] for page in pages for each in page]:
                obstore.delete(self._store, found)

        _asked(remove)

    def _create(self, path: str, content: bytes) -> None:
        attributes = _ENTRIES if path.startswith("tile/entries/") else _TILE

        def put() -> None:
            obstore.put(self._store, path, content, attributes=attributes, mode="create", use_multipart=False)

        try:
            _asked(put)
        except FileExistsError:
            _log.info("tile_was_there", path=path)
        if self.get(path) != content:
            raise BlobDiffers(path)


def _asked(ask: Callable[[], _R]) -> _R:
    """Ask the store.

    Raises:
        FileExistsError: it says so.
        TilesUnavailable: no answer, or one that settles nothing: refused, broken off, an error of its own.
    """
    try:
        return ask()
    except AlreadyExistsError as error:
        raise FileExistsError from error
    except (BaseError, OSError) as error:
        raise TilesUnavailable from error
