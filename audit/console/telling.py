# SPDX-License-Identifier: Apache-2.0
"""One line of a story in plain words: catalogue keys with a place for the thing."""

from core.errors import N_

from ..models import Outcome
from ..search import Row
from ..search.words import says

_OF_ALL: dict[str, str] = {
    "sso.session.ended": N_("the session ended"),
    "sso.factor.enrolled": N_("set up a second factor"),
    "sso.factor.removed": N_("removed a second factor"),
    "sso.token.issued": N_("a portal was given tokens"),
    "sso.userinfo": N_("a portal read personal data"),
    "sso.record.opened": N_("%(what)s opened the person's record"),
    "sso.consent.granted": N_("agreed to share data with %(what)s"),
    "sso.consent.withdrawn": N_("no longer agrees to share data with %(what)s"),
    "ca.certificate.issued": N_("was given the certificate %(what)s"),
    "ca.certificate.suspended": N_("the certificate %(what)s was suspended"),
    "ca.certificate.revoked": N_("the certificate %(what)s was revoked"),
    "ca.certificate.released": N_("the certificate %(what)s counts again"),
    "directory.person.created": N_("was entered in the directory"),
    "directory.person.disabled": N_("was disabled"),
    "directory.person.enabled": N_("was enabled"),
    "directory.role.granted": N_("was given the role %(what)s"),
    "directory.role.withdrawn": N_("lost the role %(what)s"),
    "gateway.session.opened": N_("a session at the gateway was opened"),
    "gateway.session.ended": N_("the session at the gateway ended"),
    "signature.made": N_("the document %(what)s was signed"),
    "signature.verified": N_("the document %(what)s was verified"),
    "audit.opened": N_("an officer opened entry %(what)s"),
    "audit.searched": N_("an officer searched the record"),
}
_ENDED: dict[tuple[str, Outcome], str] = {
    ("gateway.decision", Outcome.SUCCESS): N_("was let in to %(what)s"),
    ("gateway.decision", Outcome.DENIED): N_("was refused at %(what)s"),
    ("sso.login", Outcome.SUCCESS): N_("logged in for %(what)s"),
    ("sso.login", Outcome.DENIED): N_("was refused the login for %(what)s"),
    ("sso.login", Outcome.FAILURE): N_("a login for %(what)s failed"),
}
_LONGEST = 24


def line(row: Row) -> tuple[str, dict[str, str]]:
    """The words, a catalogue key, and what stands in its place; the type's own words where there is no sentence."""
    words = _ENDED.get((row.type, row.outcome))
    if words is None and row.outcome is Outcome.SUCCESS:
        words = _OF_ALL.get(row.type)
    if words is None or (not row.object and "%(what)s" in words):
        return says(row.type), {}
    return words, {"what": short(row.object)}


def short(identifier: str) -> str:
    """Enough of a long identifier to know it again."""
    return identifier if len(identifier) <= _LONGEST else identifier[:12] + "…"
