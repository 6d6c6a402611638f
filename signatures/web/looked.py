# SPDX-License-Identifier: Apache-2.0
"""What this browser was shown of the documents that wait for a keeper: nobody sets a seal on what they have not seen.

Of a batch a keeper looks at as many documents as they like: one confirmation is for thousands.
"""

import hashlib

from flask import session

from ..keeping import Order, Purpose
from ..remote import NotSeen

_LOOKED = "looked"
# Orders that are remembered at once, and pages that are remembered one by one: all of it lies in the browser's cookie.
_MOST, _MOST_PAGES = 8, 300
_WHOLE = -1


def look_at(order: Order, subject: str, *, page: int = 0) -> None:
    """This browser was shown a page, counted from 1, to this person; or got the whole file."""
    known: dict[str, int] = session.get(_LOOKED, {})
    name = _name(order, subject)
    before = known.pop(name, 0)
    mask = _WHOLE if not page or before == _WHOLE else before | (1 << page - 1 if page <= _MOST_PAGES else 0)
    session[_LOOKED] = dict([*known.items(), (name, mask)][-_MOST:])


def looked(order: Order, subject: str, *, pages: int) -> bool:
    """Whether it was shown all of it; of what has no pages, whether it got the file."""
    known: dict[str, int] = session.get(_LOOKED, {})
    mask = known.get(_name(order, subject), 0)
    return order.purpose is Purpose.BATCH or mask == _WHOLE or (pages > 0 and mask == (1 << pages) - 1)


def must_be_looked_at(order: Order, subject: str, *, pages: int) -> None:
    """Raises NotSeen where it was not."""
    if not looked(order, subject, pages=pages):
        raise NotSeen


def _name(order: Order, subject: str) -> str:
    """Of an order's document, for a person: another one in the same browser has to look anew."""
    return hashlib.sha256(f"{order.id} {order.sha256} {subject}".encode()).hexdigest()[:16]
