# SPDX-License-Identifier: Apache-2.0
"""No role vouches for a person by its word alone: the table of what each may ask, and every way around it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from app.pairs import PAIRS
from audit import Event, Outcome
from ca import CAClient
from ca.models import Issued, IssueRequest, Reason
from ca.service import BUSINESS, EnoughOfficers, Verb
from ca.x509 import PROFILES
from core.calls import CALLER_HEADER, SECRET_HEADER
from core.errors import Forbidden, Kind, TallygateError
from core.identity import Identity
from directory import Proofing
from tests.fakes.people import CITIZEN, CLERK, COMPANY, KIOSK

from .sites import ACCOUNT, HOST, Site
from .world import ask, request_for

WISH = "/certificates"


@pytest.fixture
def known(site: Site) -> None:
    """The citizen was proofed with documents, which self-service demands."""
    site.world.directory.people[CITIZEN.subject] = replace(CITIZEN, proofing=Proofing(level=2))


def _wish(subject: str = CITIZEN.subject, *, actor: str = "", profile: str = "citizen") -> IssueRequest:
    return IssueRequest(profile=profile, csr=request_for(), subject=subject, actor=actor)


def _at_account(site: Site, **changes: object) -> str:
    """The gateway's header of the citizen who sent a form at the account's host."""
    how = {"subject": CITIZEN.subject, "host": ACCOUNT, "zone": "external", "assurance": 2, **changes}
    return site.identity("POST", WISH, **how)  # type: ignore[arg-type]  # fields by name


def _refused(site: Site, act: Callable[[], object]) -> Event:
    """The record of the refusal, which is the last thing that happened."""
    with pytest.raises(TallygateError) as refused:
        act()
    assert (refused.value.kind, refused.value.code) == (Kind.FORBIDDEN, "not_your_business")
    entry = site.world.recorder.events[-1]
    assert (entry.type, entry.outcome) == ("ca.call.refused", Outcome.DENIED)
    return entry


def test_whoever_shares_a_secret_with_the_authority_stands_in_the_table_or_is_nginx() -> None:
    assert {caller for caller, callee in PAIRS if callee == "ca"} == {*BUSINESS, "nginx"}


@pytest.mark.parametrize("caller", ["sso", "gateway", "signatures"])
@pytest.mark.parametrize("verb", Verb)
def test_on_its_own_behalf_a_role_does_its_own_business_only(site: Site, caller: str, verb: Verb) -> None:
    serial = site.authority.issue(ask()).serial
    client = site.peer(caller)
    acts: dict[Verb, Callable[[], object]] = {
        Verb.STATUS: lambda: client.status(serial),
        Verb.SHOW: lambda: client.certificate(serial),
        Verb.LIST: lambda: client.certificates(CITIZEN.subject),
        Verb.ISSUE: lambda: client.issue(_wish(COMPANY.id, profile="organisation-seal")),
        Verb.SUSPEND: lambda: client.suspend(serial, actor=""),
        Verb.RELEASE: lambda: client.release(serial, actor=""),
        Verb.REVOKE: lambda: client.revoke(serial, reason=Reason.KEY_COMPROMISE, actor=""),
        Verb.INCIDENT: client.incidents,
        Verb.TABLE: lambda: client.table("0" * 32),
        Verb.INCIDENT: client.incidents,
        Verb.BLOCK: lambda: client.block("ab" * 32, actor=""),
        Verb.CHECK: client.findings,
    }
    if verb in BUSINESS[caller].itself:
        acts[verb]()
        return
    entry = _refused(site, acts[verb])
    assert (entry.actor, entry.attributes["verb"], entry.attributes["reason"]) == (
        f"role:{caller}",
        verb.value,
        "not-its-business",
    )
    assert site.authority.status(serial).good


@pytest.mark.parametrize("caller", ["app", "signatures"])
def test_a_role_that_vouches_for_a_person_by_its_word_is_refused(site: Site, caller: str) -> None:
    wish = _wish(COMPANY.id, actor=CITIZEN.subject, profile="organisation-seal")
    entry = _refused(site, lambda: site.peer(caller).issue(wish))
    assert (entry.actor, entry.attributes["claimed"], entry.attributes["reason"]) == (
        f"role:{caller}",
        CITIZEN.subject,
        "unproved-person",
    )


def test_no_role_speaks_as_another(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    for act in (
        lambda: site.peer().suspend(serial, actor="role:sso"),
        lambda: site.peer().issue(_wish(actor="role:ca")),
    ):
        assert _refused(site, act).actor == "role:app"
    assert site.authority.status(serial).good


def test_whether_a_serial_exists_is_not_told_to_whom_it_does_not_concern(site: Site) -> None:
    entry = _refused(site, lambda: site.peer("gateway").suspend("1234", actor=""))
    assert entry.object == "1234"


@pytest.mark.usefixtures("known")
def test_a_person_at_the_account_has_an_own_certificate_made_and_ended(site: Site) -> None:
    issued = _issued(site, site.peer("sso"))
    for entry in (site.world.recorder.events[-1], site.world.outbox()[-1]):
        # The record names both: who wished it, and who carried the wish.
        assert (entry.actor, entry.attributes["caller"]) == (CITIZEN.subject, "sso")
    site.peer("sso").revoke(issued.serial, reason=Reason.SUPERSEDED, actor=CITIZEN.subject, identity=_at_account(site))
    ended = site.world.outbox()[-1]
    assert (ended.type, ended.actor, ended.attributes["caller"]) == ("ca.certificate.revoked", CITIZEN.subject, "sso")


def _issued(site: Site, client: CAClient) -> Issued:
    return client.issue(_wish(actor=CITIZEN.subject), identity=_at_account(site))


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("actor", ["", CLERK.subject])
def test_a_person_gets_nothing_about_anybody_else(site: Site, actor: str) -> None:
    clerks = site.authority.issue(ask(subject=CLERK.subject)).serial
    client = site.peer("sso")
    reason = "unproved-person" if actor else "another-person"
    for act in (
        lambda: client.issue(_wish(CLERK.subject, actor=actor), identity=_at_account(site)),
        lambda: client.suspend(clerks, actor=actor, identity=_at_account(site)),
        lambda: client.revoke(clerks, reason=Reason.KEY_COMPROMISE, actor=actor, identity=_at_account(site)),
    ):
        entry = _refused(site, act)
        assert (entry.actor, entry.subject, entry.attributes["claimed"], entry.attributes["reason"]) == (
            "role:sso",
            CLERK.subject,
            CITIZEN.subject,
            reason,
        )
    assert site.authority.status(clerks).good


@pytest.mark.usefixtures("known")
def test_a_header_that_proves_nothing_carries_no_wish(site: Site) -> None:
    rows = site.world.rows()
    stale = _at_account(site)
    site.world.clock.advance(timedelta(seconds=61))
    own = {"subject": CITIZEN.subject, "zone": "external", "assurance": 2}
    for identity in (
        "nonsense",
        # Of another minute, another host, a page that was only looked at, and a device.
        stale,
        site.identity("POST", WISH, host="tax.city.localhost", **own),  # type: ignore[arg-type]  # fields by name
        site.identity("POST", WISH, host=HOST, **own),  # type: ignore[arg-type]  # fields by name
        site.identity("GET", WISH, host=ACCOUNT, **own),  # type: ignore[arg-type]  # fields by name
        _device(site),
    ):
        entry = _refused(site, lambda shown=identity: site.peer("sso").issue(_wish(), identity=shown))  # type: ignore[misc]  # bound now
        assert (entry.actor, entry.attributes["reason"]) == ("role:sso", "unproved-person")
    assert site.world.rows() == rows


def _device(site: Site) -> str:
    device = Identity(
        subject=CITIZEN.subject,
        kind="device",
        session="",
        roles=frozenset(),
        assurance=0,
        methods=(),
        zone="external",
        decision="d1",
    )
    return site.gateway.issue(device, audience=ACCOUNT, method="POST", path=WISH, at=site.world.clock.now())


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("caller", "reason"),
    # The last has business for people at a host of its own, and this header is of another.
    [("app", "not-its-business"), ("gateway", "not-its-business"), ("signatures", "unproved-person")],
)
def test_a_true_header_in_other_hands_is_worth_nothing(site: Site, caller: str, reason: str) -> None:
    entry = _refused(site, lambda: site.peer(caller).issue(_wish(), identity=_at_account(site)))
    assert (entry.actor, entry.attributes["reason"]) == (f"role:{caller}", reason)


@pytest.mark.usefixtures("known")
def test_a_true_header_does_not_lift_the_person_above_what_was_proved(site: Site) -> None:
    with pytest.raises(TallygateError) as weak:
        site.peer("sso").issue(_wish(), identity=_at_account(site, assurance=1))
    assert weak.value.code == "issuance_denied"
    site.world.directory.people[CITIZEN.subject] = replace(CITIZEN, proofing=Proofing(level=1))
    with pytest.raises(TallygateError) as unproofed:
        _issued(site, site.peer("sso"))
    assert unproofed.value.code == "issuance_denied"
    refusal = site.world.outbox()[-1]
    assert (refusal.type, refusal.actor, refusal.attributes["caller"]) == (
        "ca.certificate.refused",
        CITIZEN.subject,
        "sso",
    )


def test_strangers_are_not_even_asked_what_they_want(site: Site) -> None:
    body = {"profile": "citizen", "csr": "AAAA", "subject": CITIZEN.subject}
    for name in ("portal:tax", "portal:documents", "directory", "audit", "nginx", ""):
        answer = site.client().post(
            "/api/v1/certificates", json=body, headers={CALLER_HEADER: name, SECRET_HEADER: "AAAA"}
        )
        assert answer.status_code == 401, name


def test_a_refusal_that_cannot_be_recorded_is_a_refusal_all_the_same(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    site.world.recorder.down = True
    with pytest.raises(TallygateError) as refused:
        site.peer("sso").suspend(serial, actor="")
    assert refused.value.kind is Kind.UNAVAILABLE
    assert site.authority.status(serial).good


@pytest.mark.parametrize("profile", ["citizen", "device-client", "organisation-seal"])
def test_an_operator_does_without_officers_only_for_a_reason_that_the_record_keeps(site: Site, profile: str) -> None:
    subject = {"citizen": CITIZEN.subject, "device-client": KIOSK.id}.get(profile, COMPANY.id)
    wish = replace(_wish(subject, profile=profile), actor="role:app")
    for reason in ("", "  "):
        with pytest.raises(Forbidden, match="approvals-missing"):
            site.peer().issue(replace(wish, exception=reason))
    issued = site.peer().issue(replace(wish, exception="all officers are ill"))
    assert site.authority.status(issued.serial).good
    intent, outcome = site.world.recorder.events[-1], site.world.outbox()[-1]
    assert (intent.type, outcome.type) == ("ca.certificate.intended", "ca.certificate.issued")
    assert intent.attributes["exception"] == outcome.attributes["exception"] == "all officers are ill"


@pytest.mark.usefixtures("known")
def test_what_a_person_has_made_without_an_officer_is_what_the_profile_leaves_to_persons(site: Site) -> None:
    client = site.peer("sso")
    assert {name for name, each in PROFILES.items() if each.self_service} == {"citizen", "remote-signing"}
    with pytest.raises(Forbidden, match="approvals-missing"):
        client.issue(_wish(actor=CITIZEN.subject, profile="citizen-signing"), identity=_at_account(site))
    # No role talks itself out of it: an exception is the operator's.
    wish = replace(_wish(actor=CITIZEN.subject, profile="citizen-signing"), exception="urgent")
    with pytest.raises(Forbidden, match="approvals-missing"):
        client.issue(wish, identity=_at_account(site))


def test_self_service_demands_the_assurance_of_its_profile() -> None:
    own = IssueRequest(
        profile="citizen", csr=b"", subject="a", actor="a", actor_roles=frozenset({"role:sso"}), caller="sso"
    )
    kind, rules = PROFILES["citizen"], EnoughOfficers()
    assert [rules.decide(replace(own, assurance=level), kind).allowed for level in range(4)] == [
        False,
        False,
        True,
        True,
    ]
    assert not rules.decide(replace(own, assurance=3, subject="b"), kind).allowed
    with pytest.raises(ValueError, match="self_service"):
        replace(kind, self_service=1)
