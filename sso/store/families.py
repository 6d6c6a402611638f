# SPDX-License-Identifier: Apache-2.0
"""What is asked about sessions and families at every request, each as one statement that is built once.

A family stands while it was not revoked, its session lives, and neither its person nor the certificate the session was
opened with is barred. A machine's own grant (RFC 6749 section 4.4) hangs on no session.
"""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, Table, and_, bindparam, or_, select

from .tables import BARRED, CODES, CONSENTS, DEVICE_CODES, ENDED_TOKENS, GRANTS, REFRESH_TOKENS, SESSIONS

_AT: BindParameter[int] = bindparam("at")
_BARRED = (
    select(BARRED.c.id)
    .where(
        BARRED.c.released_at.is_(None),
        or_(
            and_(BARRED.c.kind == "person", BARRED.c.id == SESSIONS.c.subject),
            and_(BARRED.c.kind == "certificate", BARRED.c.id == SESSIONS.c.certificate),
        ),
    )
    .correlate(SESSIONS)
    .exists()
)
_ALIVE = and_(SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > _AT, ~_BARRED)
_STANDS: ColumnElement[bool] = and_(
    GRANTS.c.revoked_at.is_(None), GRANTS.c.expires_at > _AT, or_(GRANTS.c.sid == "", _ALIVE)
)
_WITH_SESSION = GRANTS.outerjoin(SESSIONS, and_(SESSIONS.c.sid == GRANTS.c.sid, SESSIONS.c.subject == GRANTS.c.subject))

BY_COOKIE = select(SESSIONS).where(SESSIONS.c.digest == bindparam("digest"), _ALIVE)
"""The session of a cookie, if it counts at the time ``at``."""
STANDING = select(*GRANTS.c).select_from(_WITH_SESSION).where(GRANTS.c.id == bindparam("id"), _STANDS)
"""A row if the family ``id`` stands at the time ``at``."""
STANDING_TOKEN = STANDING.where(~select(ENDED_TOKENS.c.id).where(ENDED_TOKENS.c.id == bindparam("token")).exists())
"""The same, if the access token ``token`` of that family did not end by itself."""


def _presented(values: Table) -> Select[Any]:
    joined = (
        values.join(GRANTS, GRANTS.c.id == values.c.grant_id)
        .outerjoin(SESSIONS, and_(SESSIONS.c.sid == GRANTS.c.sid, SESSIONS.c.subject == GRANTS.c.subject))
        .outerjoin(CONSENTS, and_(CONSENTS.c.subject == GRANTS.c.subject, CONSENTS.c.client_id == GRANTS.c.client_id))
    )
    columns = [
        column.label(f"{table.name}_{column.name}") for table in (values, GRANTS, CONSENTS) for column in table.c
    ]
    chosen = select(*columns, SESSIONS.c.expires_at.label("session_ends_at"), _STANDS.label("stands"))
    return chosen.select_from(joined).where(values.c.digest == bindparam("digest"))


PRESENTED_CODE = _presented(CODES)
"""The code ``digest``, its family, whether that stands at ``at``, and what its person agreed to."""
PRESENTED_REFRESH_TOKEN = _presented(REFRESH_TOKENS)
"""The same for a refresh token."""
PRESENTED_DEVICE = _presented(DEVICE_CODES)
"""The same for a device that somebody said yes to."""
