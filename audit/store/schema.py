# SPDX-License-Identifier: Apache-2.0
"""The tables of one part of the index, and the view ``event``, whose columns stay as they are.

- ``entry``: the clear header by its place; ``sealed`` is what ``word`` was given, because a full-text
  index without content takes something out only if it is told what it had been given;
- ``word``: the full-text index over both; no positions, no content (FTS5, contentless, detail none);
- ``kind``: a code for each combination of what the counters tell apart; ``code`` one for each object. The codes of
  every entry stand in a plain file beside (``facts``);
- ``namesake``: who is found under which name token;
- ``hour`` and ``day``: counters, kept in the transaction that adds the entries;
- ``reach``: which places an hour's entries have, so that a span of time is a span of places.
"""

TEXTS = ("source", "zone", "subject", "actor", "object", "organisation", "session", "decision", "policy", "reason")
"""Text columns of ``entry``, beside ``type`` and ``outcome``."""
COUNTED = ("type", "outcome", "zone", "to_zone", "source", "reason")
"""What the counters tell apart."""
VERSION = 3
"""A part of another version is thrown away with the whole index, and built again from the log."""

_COUNTERS = ", ".join(f"{name} TEXT NOT NULL" for name in COUNTED)
_KEY = ", ".join(COUNTED)
TABLES = f"""
CREATE TABLE entry (
    place INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    outcome TEXT NOT NULL,
    {", ".join(f"{name} TEXT NOT NULL" for name in TEXTS)},
    attributes TEXT NOT NULL,
    sealed TEXT NOT NULL
);
CREATE VIRTUAL TABLE word USING fts5(marks, content='', columnsize=0, detail=none, tokenize='ascii');
CREATE TABLE code (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE kind (id INTEGER PRIMARY KEY, {_COUNTERS}, UNIQUE ({_KEY}));
CREATE TABLE namesake (token BLOB NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (token, subject)) WITHOUT ROWID;
CREATE TABLE hour (
    at INTEGER NOT NULL, kind INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (at, kind)
) WITHOUT ROWID;
CREATE TABLE day (
    at INTEGER NOT NULL, kind INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (at, kind)
) WITHOUT ROWID;
CREATE TABLE reach (at INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE extent (
    one INTEGER PRIMARY KEY CHECK (one = 1), first INTEGER NOT NULL, next INTEGER NOT NULL,
    since INTEGER, until INTEGER, closed INTEGER NOT NULL DEFAULT 0
);
CREATE VIEW event AS
SELECT place, at, type, outcome, source, zone, subject, actor, object, organisation, session, decision, policy, reason,
       attributes
FROM entry;
"""  # noqa: S608 - names from above
