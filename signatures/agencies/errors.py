# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with agencies' programs.

TallygateError
├── Invalid
│   ├── KeyMalformed        the Idempotency-Key is none
│   └── KeyReused           the key came before with another request (422)
├── Forbidden
│   └── ProgramUnknown      nobody let this program do this, or its time is over
├── NotFound
│   └── NoSuchBatch         none of this name, or somebody else's
├── Conflict
│   ├── KeyInUse            the first request with this key is not answered yet
│   ├── NameTaken           another document of this name is in the batch
│   ├── BatchClosed         it was started, or is over, or full
│   ├── BatchDiffers        it does not hold what is confirmed
│   └── BatchNotThere       it is not in the state in which it could be stopped, or gone on with
└── TooMany
    └── QuotaExceeded       the agency has used up its minute or its day
"""

from typing import ClassVar

from core.errors import N_, Conflict, Forbidden, Invalid, NotFound, TooMany


class KeyMalformed(Invalid):
    """The header names no key."""

    code = "idempotency_key_malformed"
    message = N_("The Idempotency-Key must be a string of 8 to 64 letters, digits, hyphens or underscores in quotes.")


class KeyReused(Invalid):
    """One key, two requests (draft-ietf-httpapi-idempotency-key-header, 2.7)."""

    status: ClassVar[int] = 422
    code = "idempotency_key_reused"
    message = N_("This Idempotency-Key was used for another request. Nothing was done.")


class KeyInUse(Conflict):
    """The first request with this key is still being answered."""

    code = "idempotency_key_in_use"
    message = N_("The first request with this Idempotency-Key is still being answered. Please ask again in a moment.")


class ProgramUnknown(Forbidden):
    """Nobody let this program do this."""

    code = "program_not_let_sign"
    message = N_("Nobody let this program do this here.")


class NoSuchBatch(NotFound):
    """None of this name, or somebody else's: nobody is told which."""

    code = "no_such_batch"
    message = N_("There is no such batch, or no such document in it.")


class NameTaken(Conflict):
    """A document of this name is in the batch, and another one."""

    code = "batch_name_taken"
    message = N_("The batch holds another document of this name.")


class BatchClosed(Conflict):
    """What is asked is over."""

    code = "batch_closed"
    message = N_("This batch takes no more documents: it was started, is over, or is full.")


class BatchDiffers(Conflict):
    """Somebody confirms something else than there is."""

    code = "batch_differs"
    message = N_("The batch does not hold the documents that are confirmed. Nothing was signed.")


class BatchNotThere(Conflict):
    """It cannot be stopped, or gone on with, as it stands."""

    code = "batch_not_so_far"
    message = N_("This batch is not in a state in which that could be done. Look at it again.")


class QuotaExceeded(TooMany):
    """The agency has used up what it may in a minute or a day."""

    code = "quota_exceeded"
    message = N_("Your agency has used up its %(quota)s requests. Please come again in %(seconds)s seconds.")

    def __init__(self, *, quota: int, seconds: int, window: int) -> None:
        super().__init__(quota=quota, seconds=seconds)
        self._told = (quota, seconds, window)

    @property
    def headers(self) -> dict[str, str]:
        """When to come again (draft-ietf-httpapi-ratelimit-headers)."""
        quota, seconds, window = self._told
        return {
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"agency";q={quota};w={window}',
            "RateLimit": f'"agency";r=0;t={seconds}',
        }
