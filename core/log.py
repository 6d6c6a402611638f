# SPDX-License-Identifier: Apache-2.0
"""One structured log per role: JSON lines on standard error, which the supervisor writes to the role's file.

The operational log is not the record: it may be lost. Names, addresses and secrets never enter it.
"""

import logging
import sys
from dataclasses import dataclass

import structlog


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """The ``[logs]`` section: the operational logs of a machine, which are no part of the record."""

    # KiB after which a log is put aside and a new one begun; at midnight (UTC) each is put aside in any case.
    largest_kib: int = 32768
    # How many old ones are kept of each log; the oldest is removed when there are more.
    kept: int = 14

    def __post_init__(self) -> None:
        if self.largest_kib < 1 or self.kept < 1:
            raise ValueError("largest_kib and kept must be at least 1")


def configure(role: str) -> None:
    """Send our own and the libraries' messages through one JSON formatter."""

    def name_role(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        return {"role": role, **event}

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_role,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module."""
    return structlog.stdlib.get_logger(name)
