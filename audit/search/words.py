# SPDX-License-Identifier: Apache-2.0
"""Codes of the record in words that officers use; every text is a catalogue key. What has no word stays a code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import N_

from ..events import KINDS
from ..models import Outcome
from .rows import Row
from .terms import NOWHERE

OUTCOMES = {
    Outcome.SUCCESS: N_("Succeeded"),
    Outcome.DENIED: N_("Refused"),
    Outcome.FAILURE: N_("Failed"),
    Outcome.INTENDED: N_("Announced"),
}
TONES = {Outcome.SUCCESS: "good", Outcome.DENIED: "bad", Outcome.FAILURE: "bad", Outcome.INTENDED: "warn"}
"""Class of the tag; the word beside it says the same, so nothing depends on colour."""
ZONES = {
    "internet": N_("Internet"),
    "external": N_("External network"),
    "internal": N_("Internal network"),
    "management": N_("Management network"),
}
ENTERED = {**ZONES, NOWHERE: N_("nowhere")}
SOURCES = {
    "log": N_("Audit log"),
    "audit": N_("Audit console"),
    "ca": N_("Certificate authority"),
    "directory": N_("Directory"),
    "gateway": N_("Gateway"),
    "policies": N_("Policies"),
    "signatures": N_("Signature service"),
    "sso": N_("Single sign-on"),
}
_CREDENTIALS = {
    "session": N_("login session"),
    "token": N_("access token"),
    "certificate": N_("device certificate"),
}
_METHODS = {
    "pwd": N_("password"),
    "otp": N_("one-time code"),
    "hwk": N_("hardware key"),
    "swk": N_("software key"),
    "sc": N_("smart card"),
    "x509": N_("certificate"),
    "mfa": N_("several factors"),
    "passkey": N_("passkey"),
    "user": N_("its holder's PIN, face or finger"),
}
REASONS = {
    "allowed": N_("A policy allows it."),
    "login": N_("Nobody was logged in."),
    "disabled": N_("The account or device is disabled."),
    "separation": N_("The person holds two roles that must be kept apart."),
    "clearance": N_("It is classified above the person's clearance."),
    "role": N_("No role of the person opens it."),
    "zone": N_("It cannot be reached from this network."),
    "device": N_("A device certificate is required."),
    "assurance": N_("A stronger login is required."),
    "default": N_("No policy allows it."),
    "policy_error": N_("The policies could not be evaluated."),
    "step_up": N_("A stronger login is required."),
    "credential": N_("What was presented is forged, out of date or not accepted here."),
    "ambiguous_credential": N_("More than one credential was presented."),
    "shut": N_("Two officers had shut it in an emergency."),
    "forwarded": N_("The request said of itself where it came from."),
    "destination": N_("The name of the destination leads nowhere, or to an address that is not allowed."),
    "status": N_("Whether the certificate was revoked could not be found out."),
    "unaccepted": N_("The service takes no request of this kind, size or content type."),
    "ambiguous_path": N_("The address could be read in two ways."),
    "unknown_host": N_("There is no such host."),
    "too_many": N_("Too many requests in a short time."),
    "unavailable": N_("Something the decision needs did not answer."),
    "record_unavailable": N_("The record could not be kept."),
    "origin": N_("A page of another website asked in the visitor's name."),
    "session": N_("The session it hung on ended."),
    "subject": N_("The person was disabled."),
    "grant": N_("The grant it hung on was revoked."),
    "switch": N_("Two officers shut it in an emergency."),
    "lapsed": N_("The time the officers gave it was over."),
    "certificate": N_("The certificate it hung on was taken back."),
    "policies": N_("Other policies came into force."),
    "entry_changed": N_("The person's entry in the directory changed."),
    "stale": N_("No news of the record were heard for a second."),
    "keeper_ended": N_("The process that kept it ended."),
    "not_recorded": N_("It could not be recorded, so it was not opened."),
    "client": N_("The visitor ended it."),
    "host": N_("The service ended it."),
    "client_locked": N_("An administrator locked the application."),
    "ended_by_an_administrator": N_("An administrator ended it."),
    "wrong": N_("User name or password was wrong."),
    "wrong_credentials": N_("User name or password was wrong."),
    "missing": N_("What was asked for was not shown."),
    "waiting": N_("Too many failed attempts; the next one had to wait."),
    "replaced": N_("A newer login took its place."),
    "bad_event": N_("The record does not take such an event."),
    "event_key_reused": N_("Its key was used for another event before."),
    "unknown": N_("What was presented is not known here."),
    "used": N_("It was used before."),
    "ended": N_("The login it came from is over."),
    "used_or_ended": N_("It was used before, or the login it came from is over."),
    "expired": N_("Its time is over."),
    "not_keeper": N_("The seal has keepers, and this person was none."),
    "second_needed": N_("The seal takes a second keeper, and there was none."),
    "same_person": N_("Whoever asked cannot be the second person too."),
    "order_over": N_("It was confirmed, refused or withdrawn already, or its day was over."),
    "order_changed": N_("The document was not the one that was asked for."),
    "another_client's": N_("It was given to another application."),
    "redirect_uri": N_("The address to return to is another one than at first."),
    "dpop_jkt": N_("It was bound to another key."),
    "key": N_("It was bound to another key."),
    "subject_token": N_("The token to act with is not good for it."),
    "code_verifier": N_("The application could not prove that it began the login."),
    "code_presented_twice": N_("A code was presented twice."),
    "device_code_presented_twice": N_("A device presented its code twice."),
    "user_code": N_("No device was waiting under the letters that were typed."),
    "client_removed": N_("The application is registered no more."),
    "refresh_token_presented_twice": N_("A refresh token was presented twice."),
    "revoked_by_client": N_("The application gave it back."),
    "consent_withdrawn": N_("The person withdrew the consent."),
    "certificate_withdrawn": N_("The certificate was withdrawn."),
    "person_disabled": N_("The person was disabled."),
    "password_changed": N_("The password was changed."),
    "known_less_surely": N_("The registrar knows the person less surely than when it was given."),
    "not_in_force": N_("What was shown was another person's, or does not count as a second factor yet."),
    "population": N_("The other provider was not agreed on for this person."),
    "logged_out_at_the_other_provider": N_("The person logged out at the other provider."),
    "its_link_was_removed": N_("The link with the other provider was removed."),
    "mandate": N_("The mandate is not for that service."),
    "mandate_withdrawn": N_("The mandate it was given under was withdrawn or has run out."),
    "its_passkey_was_removed": N_("Its passkey was removed."),
    "its_second_factor_was_removed": N_("Its second factor was removed."),
    "disowned_by_its_person": N_("Its person said that somebody else had logged in."),
    "stopped_by_letter": N_("It was stopped by the letter that told of it."),
    "stopped_by_its_person": N_("It was stopped by its person."),
    "no_such_entry": N_("There is no such entry in the record."),
}
_HOW = {
    "acr": N_("assurance level"),
    "assurance": N_("assurance level"),
    "method": N_("request"),
    "credential": N_("by"),
    "client": N_("application"),
    "profile": N_("certificate profile"),
    "scope": N_("scope"),
}
PERSONAL = {
    "name": N_("Name"),
    "name_zh": N_("Chinese name"),
    "actor_name": N_("Name of whoever acted"),
    "object_name": N_("Name of the object"),
    "username": N_("User name"),
    "mail": N_("E-mail"),
    "address": N_("Client address"),
    "path": N_("Requested address"),
    "reason": N_("Reason"),
    "person": N_("Person searched for"),
    "words": N_("Words searched for"),
    "purpose": N_("Purpose"),
    "search": N_("Searched for"),
    "title": N_("Name of the saved search"),
    "digests": N_("Fingerprints of the documents"),
}
"""Fields of a sealed part."""
_WHY = ("reason", "code")
_POLICIES = ("policies", "reasons", "policy_ids")


@dataclass(frozen=True, kw_only=True)
class Told:
    """One entry in plain words; texts marked for translation are keys, values stay as they are."""

    says: str
    outcome: str
    tone: str
    source: str
    zone: str
    # Catalogue keys of login methods, then codes without a word.
    methods: Sequence[str]
    # Other facts about how: catalogue keys, the second may also be a plain value.
    how: Sequence[tuple[str, str]]
    # Why it ended so: a catalogue key, or empty; and the bare code.
    why: str
    code: str
    # Identifiers of the policies that decided.
    policies: Sequence[str]


def tell(row: Row) -> Told:
    """Put one entry into words."""
    facts = {name: str(value) for name, value in row.attributes.items()}
    code = next((facts[name] for name in _WHY if facts.get(name)), "")
    return Told(
        says=says(row.type),
        outcome=OUTCOMES[row.outcome],
        tone=TONES[row.outcome],
        source=SOURCES.get(row.source, row.source),
        zone=ZONES.get(row.zone, row.zone),
        methods=[_METHODS.get(name, name) for name in _listed(facts, ("amr", "methods"))],
        how=[(words, _value(name, facts[name])) for name, words in _HOW.items() if facts.get(name)],
        why=reason_words(code),
        code=code,
        policies=_listed(facts, _POLICIES),
    )


def says(kind: str) -> str:
    """What a type says; the type itself for one that this version does not know."""
    known = KINDS.get(kind)
    return known.says if known else kind


def reason_words(code: str) -> str:
    """Why, in words; empty for a code without."""
    return REASONS.get(code.replace("-", "_").replace(" ", "_"), "")


def told(*languages: Callable[[str], str]) -> dict[str, dict[str, list[str]]]:
    """What every code is called in English and in further languages; the field, the code, its names."""
    fields: dict[str, Mapping[str, str]] = {
        "type": {name: kind.says for name, kind in KINDS.items()},
        "outcome": {outcome.value: words for outcome, words in OUTCOMES.items()},
        "zone": ZONES,
        "source": SOURCES,
        "reason": REASONS,
    }
    return {
        field: {code: [words, *(say(words) for say in languages)] for code, words in codes.items()}
        for field, codes in fields.items()
    }


def _value(name: str, value: str) -> str:
    words = {"credential": _CREDENTIALS, "method": _METHODS}.get(name, {})
    return words.get(value, value)


def _listed(facts: Mapping[str, str], names: Sequence[str]) -> list[str]:
    found = next((facts[name] for name in names if facts.get(name)), "")
    return [part for part in found.replace(",", " ").split() if part]
