# SPDX-License-Identifier: Apache-2.0
"""A log's public part where the settings say that it lies."""

from core.config import ConfigurationError

from ..config import AuditSettings
from .store import BlobStore


def stored(settings: AuditSettings, log: str, *, credentials: str) -> BlobStore:
    """One log in object storage, by the last part of its origin: each has a prefix of its own.

    Raises:
        ConfigurationError: the address or the credentials cannot be used.
    """
    from .objects import ObjectBlobs  # noqa: PLC0415 - most sites have none, and it is large

    try:
        return ObjectBlobs.open(
            f"{settings.tiles.rstrip('/')}/{log}",
            credentials=credentials,
            endpoint=settings.tiles_endpoint,
            region=settings.tiles_region,
            authorities=settings.tiles_roots,
        )
    except (ValueError, OSError) as error:
        raise ConfigurationError(where="audit.tiles", why=str(error)) from error
