# SPDX-License-Identifier: Apache-2.0
"""The tables and their indices. Every kind of one-time value has a table of its own, so none passes for another."""

import hashlib
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text

from core.db import Outbox

_ID_LENGTH = 64

METADATA = MetaData()
OUTBOX = Outbox(METADATA)


def _key(name: str) -> Column[str]:
    return Column(name, String(_ID_LENGTH), primary_key=True)


def _id(name: str, *, unique: bool = False) -> Column[str]:
    return Column(name, String(_ID_LENGTH), nullable=False, unique=unique)


def _short(name: str, length: int) -> Column[str]:
    return Column(name, String(length), nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _place(name: str) -> Column[int]:
    """In the log, whose entries outnumber everything else."""
    return Column(name, BigInteger, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _moment_or_never(name: str) -> Column[int]:
    return Column(name, Integer)


def _expiring(name: str, *parts: Column[Any] | Index) -> Table:
    """A table whose rows are of no use to anybody after a while, found by the index ``NAME_expiry``."""
    return Table(name, METADATA, *parts, _number("expires_at"), Index(f"{name}_expiry", "expires_at"))


CLIENTS = Table(
    "clients",
    METADATA,
    _key("id"),
    _short("name", 200),
    _short("name_zh", 200),
    _text("redirect_uris"),
    _text("post_logout_uris"),
    _text("scopes"),
    _text("grants"),
    _text("audience"),
    _flag("trusted"),
    _flag("public"),
    _id("secret_hash"),
    _id("method"),
    _text("jwks"),
    _text("certificate_subject"),
    _text("requires"),
    _text("resources"),
    _text("detail_types"),
    _text("request_uris"),
    _short("subject_type", 16),
    _id("sector"),
    _flag("userinfo_signed"),
    _flag("userinfo_encrypted"),
    _flag("id_token_encrypted"),
    _flag("introspection_encrypted"),
    _text("jwks_uri"),
    _text("logout_uri"),
    _id("manage_hash"),
    _id("manage_before"),
    _text("ceiling"),
    _flag("test"),
    _short("contact", 200),
    _id("agency"),
)

# Registrations that are asked for. They stay: who decided on a client, and why, is asked years later.
APPLICATIONS = Table(
    "applications",
    METADATA,
    _key("id"),
    _id("client_id", unique=True),
    _id("agency"),
    _id("asked_by"),
    _number("asked_at"),
    _text("metadata"),
    _flag("test"),
    _short("contact", 200),
    _short("state", 16),
    _id("decided_by"),
    _number("decided_at"),
    _short("reason", 500),
    Index("applications_agency", "agency", "asked_at"),
    Index("applications_asked", "asked_at"),
)

INITIAL_TOKENS = _expiring("initial_tokens", _key("digest"), _id("sector"), _text("scopes"), _number("uses_left"))

# Clients that are to be told that a session ended, until they were.
GOODBYES = _expiring(
    "goodbyes",
    _key("id"),
    _id("client_id"),
    _id("subject"),
    _id("sid"),
    _number("attempts"),
    _number("due_at"),
    Index("goodbyes_due", "due_at"),
)

# How many each was sent in this hour, and could not be told since it was last reached.
BACK_CHANNELS = Table(
    "back_channels",
    METADATA,
    _key("client_id"),
    _number("hour"),
    _number("sent"),
    _number("missed"),
    _number("missed_at"),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    _key("sid"),
    # Of the cookie's value; changes at every login.
    _id("digest", unique=True),
    _id("subject"),
    _short("name", 200),
    _short("name_zh", 200),
    _text("methods"),
    _number("assurance"),
    _id("certificate"),
    _id("network"),
    _short("agent", 100),
    _number("authenticated_at"),
    _number("created_at"),
    _number("seen_at"),
    _number("expires_at"),
    _moment_or_never("ended_at"),
    # What beside a password or a card it was opened with, so that it ends with it; empty if nothing.
    _id("factor"),
    # Of the login that opened it; proofs beside it change everything but this.
    _id("login"),
    Index("sessions_subject", "subject", "ended_at"),
    Index("sessions_certificate", "certificate", "ended_at"),
    Index("sessions_expiry", "ended_at", "expires_at"),
)

# Parked requests live in their browsers; only that one was answered is remembered, until it could not come again.
SPENT = _expiring("spent", _key("id"))

GRANTS = _expiring(
    "grants",
    _key("id"),
    _id("subject"),
    _id("client_id"),
    _id("sid"),
    _text("scopes"),
    _number("assurance"),
    _text("methods"),
    _number("authenticated_at"),
    _text("nonce"),
    _text("place"),
    _number("created_at"),
    _moment_or_never("revoked_at"),
    _text("refused"),
    _text("resources"),
    _text("details"),
    _text("mandate"),
    _text("claims"),
    _number("proofing"),
    Index("grants_session", "sid"),
    Index("grants_person", "subject", "client_id"),
)

# Single access tokens that ended before their time, until it; their families stand.
ENDED_TOKENS = _expiring("ended_tokens", _key("id"))

CODES = _expiring(
    "codes",
    _key("digest"),
    _id("grant_id"),
    _id("client_id"),
    _text("redirect_uri"),
    _id("challenge"),
    _moment_or_never("used_at"),
    _id("jkt"),
)

REFRESH_TOKENS = _expiring(
    "refresh_tokens",
    _key("digest"),
    _id("grant_id"),
    _id("client_id"),
    _moment_or_never("used_at"),
    _id("jkt"),
)

# Decided once, redeemed once. The short code is unique while its row stands.
DEVICE_CODES = _expiring(
    "device_codes",
    _key("digest"),
    _id("user_digest", unique=True),
    _id("client_id"),
    _text("scopes"),
    _text("resources"),
    _text("details"),
    _id("jkt"),
    _id("network"),
    _short("agent", 100),
    _number("asked_at"),
    _number("interval"),
    _number("polled_at"),
    _short("state", 16),
    _id("grant_id"),
)

# A request that came by the back way and waits for its browser; its client was authenticated.
PUSHED = _expiring("pushed", _key("digest"), _id("client_id"), _text("parameters"))

# The ``jti`` of what clients signed, by what it was for: each counts once, until it could not come again.
ASSERTIONS = _expiring("assertions", _key("id"))
PROOFS = _expiring("proofs", _key("id"))

CONSENTS = Table(
    "consents",
    METADATA,
    _key("subject"),
    _key("client_id"),
    _text("scopes"),
    _number("granted_at"),
    _number("expires_at"),
    _text("refused"),
)

# Keyed by a digest of name and network, so that no user name is kept.
ATTEMPTS = Table(
    "attempts",
    METADATA,
    _key("key"),
    _number("failures"),
    _number("last_at"),
    _number("closed_until"),
    Index("attempts_last", "last_at"),
)

# A card login that succeeded at the card host, on its way back. The ticket is what went there, and works once.
HANDOVERS = _expiring(
    "handovers",
    _key("ticket"),
    _id("back", unique=True),
    _id("browser"),
    # The parked request and who was proved, as JSON.
    _text("interaction"),
    _text("authentication"),
    _moment_or_never("used_at"),
)

# An app that makes one-time codes; its secret is sealed with a key that is not in this database.
CODE_APPS = Table(
    "code_apps",
    METADATA,
    _key("subject"),
    _text("secret"),
    # The newest time step a code was taken of: none is taken twice, and none before it.
    _number("step"),
    _number("created_at"),
    # From here on it is asked for, and counts as a second factor.
    _number("counts_from"),
    _moment_or_never("used_at"),
)

RECOVERY_CODES = Table(
    "recovery_codes",
    METADATA,
    _key("digest"),
    _id("subject"),
    _number("created_at"),
    _moment_or_never("used_at"),
    Index("recovery_codes_subject", "subject"),
)

PASSKEYS = Table(
    "passkeys",
    METADATA,
    _key("id"),
    _id("subject"),
    _text("credential"),
    # Of the credential, by which it is found; unique.
    _id("digest", unique=True),
    _text("public_key"),
    Column("uses", BigInteger, nullable=False),
    _short("name", 100),
    _flag("synced"),
    _number("created_at"),
    _number("counts_from"),
    _moment_or_never("used_at"),
    Index("passkeys_subject", "subject"),
)

# Who is whom at the other provider: found by a keyed digest, so that the table says nothing without its key.
UPSTREAM_LINKS = Table(
    "upstream_links",
    METADATA,
    _key("key"),
    _id("id", unique=True),
    _id("subject", unique=True),
    _id("named"),
    _number("created_at"),
    _number("counts_from"),
    _moment_or_never("used_at"),
    Index("upstream_links_named", "named"),
)

# Answers and logout tokens of it that came: each counts once, until it could not come again.
UPSTREAM_ANSWERS = _expiring("upstream_answers", _key("id"))

# Browsers in which a person logged in before. Keyed by cookie and user name together; neither is kept.
KNOWN_BROWSERS = _expiring(
    "known_browsers",
    _key("digest"),
    _id("id"),
    _id("subject"),
    _id("network"),
    _short("agent", 100),
    _number("created_at"),
    _number("seen_at"),
    Index("known_browsers_subject", "subject"),
)

SUSPICIONS = _expiring(
    "suspicions",
    _key("id"),
    _id("subject"),
    _short("kind", 16),
    _id("sid"),
    _id("network"),
    _short("agent", 100),
    _number("at"),
    _moment_or_never("answered_at"),
    Index("suspicions_subject", "subject"),
)

LETTERS = _expiring(
    "letters",
    _key("id"),
    _id("subject"),
    _short("kind", 32),
    _text("facts"),
    _number("attempts"),
    _number("due_at"),
    Index("letters_due", "due_at"),
)

# What was told once about something, by the name of both.
REMINDERS = _expiring("reminders", _key("id"))

RECOVERIES = _expiring(
    "recoveries",
    _key("id"),
    _text("asked"),
    _id("subject"),
    _short("state", 16),
    _id("link"),
    _id("browser"),
    _flag("drops"),
    _number("ready_at"),
    _id("network"),
    _number("created_at"),
    Index("recoveries_subject", "subject"),
    Index("recoveries_link", "link"),
    Index("recoveries_browser", "browser"),
    Index("recoveries_state", "state", "ready_at"),
)

# What the simulator gave out and was redeemed, until it could not come again.
SIMULATED = _expiring("simulated", _key("id"))

# Second factors that administrators take away.
FACTOR_RESETS = _expiring(
    "factor_resets",
    _key("id"),
    _id("subject"),
    _short("reason", 500),
    _short("state", 16),
    _flag("high"),
    _id("asked_by"),
    _number("asked_at"),
    _id("confirmed_by"),
    _number("ready_at"),
    Index("factor_resets_subject", "subject"),
    Index("factor_resets_state", "state", "ready_at"),
)

# Applications that may do nothing; beside their registrations, which may be replaced meanwhile.
CLIENT_LOCKS = Table(
    "client_locks",
    METADATA,
    _key("client_id"),
    _short("reason", 500),
    _id("locked_by"),
    _number("locked_at"),
    _id("asked_by"),
    _number("asked_at"),
    _short("asked_reason", 500),
)

# When each application last proved who it is; a minute late at most.
CLIENT_USES = Table("client_uses", METADATA, _key("client_id"), _number("used_at"))

# What devices were asked to sign: each question is answered once, until it could not be any more.
CHALLENGES = _expiring("challenges", _key("id"))

# Persons and certificates that count no more, and those that count again: a login that overlaps the news still fails,
# and news that come late change nothing. ``position`` is the newest entry of the log that spoke about one.
BARRED = Table(
    "barred",
    METADATA,
    Column("kind", String(16), primary_key=True),
    _key("id"),
    _place("position"),
    _moment_or_never("released_at"),
    Index("barred_released", "released_at"),
)

KNOWN_SUBJECTS = Table(
    "known_subjects",
    METADATA,
    _key("sector"),
    _key("known"),
    _id("subject"),
)
HEARD = Table("heard", METADATA, Column("id", Integer, primary_key=True), _place("position"))


def digest(value: str) -> str:
    """What is kept of a presentable value. They have 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
