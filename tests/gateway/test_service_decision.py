# SPDX-License-Identifier: Apache-2.0
"""The decision without any server: what is asked of the policies, what is recorded, and that failure denies."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from audit import Entry, Event, Outcome, decode_event
from audit.models_rules import check
from ca import Standing
from core.db import DatabaseUnavailable
from core.errors import Internal, Unavailable
from directory import Mandate, Proofing
from gateway import GatewaySettings
from gateway.config import OpenHost
from gateway.errors import Refused
from gateway.models import Answer, Question
from gateway.request import ADAPTERS, certificate_digest
from gateway.service import KeyFile
from gateway.service.entries import network
from gateway.service.identification import digest
from gateway.service.sockets import Held, Sockets
from gateway.tokens import Ties
from policies import Decision, Remedy
from policies.record import past
from tests.gateway.conftest import COOKIE, DEVICE, SUBJECT, Gateway, certificate, make_site


def ask(unit: Gateway, **changes: Any) -> Answer:
    question = Question(
        listener="external",
        unverified_method="GET",
        unverified_host="tax.city.localhost",
        unverified_target="/declaration",
        unverified_cookie="",
        unverified_authorization="",
        unverified_certificate="",
        address="203.0.113.7",
    )
    answer = unit.decider.decide(replace(question, **changes))
    for event in unit.recorder.events[-1:]:
        check(event)
    return answer


def device_question() -> dict[str, str]:
    return {
        "unverified_host": "devices.city.localhost",
        "unverified_target": "/api/device/v1/me",
        "unverified_certificate": quote(certificate("device")[0].decode()),
    }


def hear(unit: Gateway, kind: str, *, index: int = 0, outcome: Outcome = Outcome.SUCCESS, **fields: Any) -> None:
    event = Event(key="0" * 32, type=kind, outcome=outcome, at=unit.clock.now(), source="sso", **fields)
    unit.news.hear([Entry(index=index, event=event)])


def test_a_permit_is_recorded_with_who_what_where_how_and_which_policy(unit: Gateway) -> None:
    answer = ask(unit, unverified_cookie=unit.open_session())
    (event,) = unit.recorder.events
    assert answer.status == 204
    assert (event.type, event.outcome, event.subject, event.object) == (
        "gateway.decision",
        Outcome.SUCCESS,
        SUBJECT,
        "tax",
    )
    assert (event.session, event.zone, event.decision, event.policy) == ("sid-1", "external", answer.decision, "7")
    assert event.sealed == {"name": "Li Wei", "address": "203.0.113.7", "path": "/declaration"}
    assert event.attributes["policies"] == "p1"


def test_the_entry_keeps_the_question_so_that_it_can_be_asked_again(unit: Gateway) -> None:
    unit.directory.people[SUBJECT] = unit.person(roles=frozenset({"citizen", "b"}), organisation="water", clearance=1)
    ask(unit, unverified_cookie=unit.open_session())
    ask(unit, unverified_target="/")
    ask(unit, **device_question())
    assert len(unit.recorder.events) == 3
    for event, asked in zip(unit.recorder.events, unit.engine.asked, strict=True):
        shown = {
            "policy": event.policy, "subject": event.subject, "organisation": event.organisation,
            "object": event.object, "zone": event.zone, "outcome": event.outcome, "time": event.at.isoformat(),
            "attributes": event.attributes,
        }  # fmt: skip
        kept = past(shown)
        assert kept is not None
        assert kept.request == asked
        assert kept.reasons == ("p1",)


@pytest.mark.parametrize("known", [True, False])
def test_source_destination_port_protocol_and_session_are_asked_about_and_recorded(
    unit: Gateway, *, known: bool
) -> None:
    """GB/T 22239-2019, 8.1.3.2 c and d; the address of whoever is known is sealed, of a stranger the network stands."""
    ask(unit, unverified_cookie=unit.open_session() if known else "", listener="internal")
    ask(unit, unverified_cookie=unit.open_session("d" * 43) if known else "")
    for (event, asked), listener in zip(
        zip(unit.recorder.events, unit.engine.asked, strict=True), ("internal", "external"), strict=True
    ):
        port = getattr(unit.site.ports, listener)
        assert (asked.from_zone, asked.to_zone, asked.resource) == (listener, "external", "tax")
        assert (asked.port, asked.protocol) == (port, "https")
        assert (event.zone, event.attributes["to_zone"], event.object) == (listener, "external", "tax")
        assert (event.attributes["port"], event.attributes["protocol"]) == (port, "https")
    event, asked = unit.recorder.events[-1], unit.engine.asked[-1]
    # A session is an input: with one the question is about its owner, at its assurance, and the entry names it.
    assert (asked.subject, asked.assurance, event.session) == ((SUBJECT, 2, "sid-1") if known else ("", 0, ""))
    if known:
        assert event.sealed["address"] == "203.0.113.7"
    else:
        assert event.attributes["network"] == "203.0.113.0/24"


def test_officers_read_the_name_in_their_own_script(unit: Gateway) -> None:
    unit.directory.people[SUBJECT] = unit.person(name_zh="李伟")
    ask(unit, unverified_cookie=unit.open_session())
    assert unit.recorder.events[-1].sealed["name_zh"] == "李伟"


def test_an_anonymous_access_is_recorded_without_anything_personal(unit: Gateway) -> None:
    assert ask(unit, unverified_target="/").status == 204
    denied = ask(unit)
    assert (denied.status, denied.reason) == (401, "login")
    permit, denial = unit.recorder.events
    assert permit.sealed == denial.sealed == {}
    assert permit.attributes["network"] == "203.0.113.0/24"
    assert (permit.outcome, denial.outcome) == (Outcome.SUCCESS, Outcome.DENIED)
    assert "203.0.113.7" not in json.dumps([dict(event.attributes) for event in unit.recorder.events])


def test_networks_are_not_addresses() -> None:
    assert network("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network("unix:") == ""


def test_a_public_page_opens_for_a_visitor_whose_session_is_over(unit: Gateway) -> None:
    answer = ask(unit, unverified_target="/", unverified_cookie="__Host-tallygate=" + "z" * 43)
    assert (answer.status, answer.identity) == (204, "")


def test_assurance_is_the_lower_of_proofing_and_login(unit: Gateway) -> None:
    cookie = unit.open_session()
    unit.directory.people[SUBJECT] = unit.person(
        proofing=Proofing(level=1),
        organisation="tax-office",
        clearance=2,
        mandates=(
            Mandate(organisation="mill", scope="tax", until=unit.clock.now().date()),
            Mandate(organisation="forge", scope="tax", until=unit.clock.now().date() - timedelta(days=1)),
        ),
    )
    ask(unit, unverified_cookie=cookie)
    (request,) = unit.engine.asked
    assert (request.assurance, request.proofing, request.clearance) == (1, 1, 2)
    assert (request.organisation, request.mandates) == ("tax-office", frozenset({"mill"}))
    assert (request.resource, request.resource_class, request.to_zone) == ("tax", "portal", "external")


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("x"), Unavailable(), Internal(), KeyError("x"), RecursionError(), ZeroDivisionError()],
)
def test_whatever_the_policies_raise_denies(unit: Gateway, failure: Exception) -> None:
    unit.engine.answer = failure
    answer = ask(unit, unverified_cookie=unit.open_session())
    assert (answer.status, answer.reason, answer.identity) == (403, "unavailable", "")
    assert unit.recorder.events[-1].outcome is Outcome.DENIED


@pytest.mark.parametrize("code", ["mandate", "purpose", "device", "zone", "role"])
def test_what_the_policies_explain_is_what_the_page_says_and_what_could_be_done_goes_with_it(
    unit: Gateway, code: str
) -> None:
    could = (Remedy(kind="network", value="internal"), Remedy(kind="mandate", value="a b"), Remedy(kind="purpose"))
    unit.engine.answer = Decision(allowed=False, code=code, reasons=(), step_up=None, version="", could=could)
    answer = ask(unit, unverified_cookie=unit.open_session())
    # What no header could hold is left out.
    assert (answer.status, answer.reason, answer.could) == (403, code, ("network=internal", "purpose"))


@pytest.mark.parametrize("code", ["policy_error", "", "unheard-of", "allowed"])
def test_a_denial_with_a_strange_code_is_still_a_denial(unit: Gateway, code: str) -> None:
    unit.engine.answer = Decision(allowed=False, code=code, reasons=(), step_up=None, version="")
    assert ask(unit, unverified_cookie=unit.open_session()).reason == "policy-error"


def test_an_answer_that_is_not_exactly_true_denies(unit: Gateway) -> None:
    unit.engine.answer = Decision(allowed="yes", code="allowed", reasons=(), step_up=None, version="")  # type: ignore[arg-type]  # what a broken engine could say
    assert ask(unit, unverified_cookie=unit.open_session()).status == 403


def test_without_a_receipt_there_is_no_access(unit: Gateway) -> None:
    cookie = unit.open_session()
    unit.recorder.down = True
    answer = ask(unit, unverified_cookie=cookie)
    assert (answer.status, answer.reason, answer.identity) == (403, "record-unavailable", "")


def test_a_recorder_that_breaks_in_an_unforeseen_way_denies(unit: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise ConnectionResetError

    cookie = unit.open_session()
    monkeypatch.setattr(unit.recorder, "record", broken)
    assert ask(unit, unverified_cookie=cookie).reason == "record-unavailable"


def test_a_silent_feed_denies(unit: Gateway) -> None:
    unit.freshness.stale = True
    assert ask(unit, unverified_cookie=unit.open_session()).reason == "unavailable"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"listener": ""}, "unknown-host"),
        ({"listener": "internet"}, "unknown-host"),
        ({"unverified_host": "evil.example"}, "unknown-host"),
        ({"unverified_host": "TAX.city.localhost"}, "unknown-host"),
        ({"unverified_host": "sso.city.localhost"}, "unknown-host"),
        ({"unverified_target": "/a/../b"}, "ambiguous-path"),
        ({"unverified_method": "TRACE"}, "ambiguous-path"),
        ({"unverified_authorization": "Basic x"}, "credential"),
        ({"unverified_authorization": "Bearer x"}, "credential"),
        ({"unverified_certificate": "x"}, "credential"),
        ({"forwarded": True}, "forwarded"),
    ],
)
def test_what_cannot_be_read_is_denied_and_recorded(unit: Gateway, changes: dict[str, Any], reason: str) -> None:
    answer = ask(unit, **changes)
    assert answer.reason == reason
    assert unit.recorder.events[-1].outcome is Outcome.DENIED
    assert not unit.engine.asked


def test_a_host_takes_the_methods_sizes_and_types_of_its_route_only(folder: Path) -> None:
    site = make_site(folder)
    tax = replace(GatewaySettings().routes["tax"], methods=("GET", "POST"), largest=1, media=("application/json",))
    unit = Gateway(site, settings=GatewaySettings(routes={"tax": tax}))
    cookie = unit.open_session()
    for taken, changes in (
        (True, {}),
        (True, {"unverified_method": "POST", "length": 1024 * 1024, "media": "application/json"}),
        (False, {"unverified_method": "DELETE"}),
        (False, {"unverified_method": "POST", "length": 1024 * 1024 + 1, "media": "application/json"}),
        (False, {"unverified_method": "POST", "length": -1, "media": "application/json"}),
        (False, {"unverified_method": "POST", "length": 5, "media": "text/xml"}),
        (False, {"unverified_method": "POST", "length": 5}),
    ):
        answer = ask(unit, unverified_cookie=cookie, **changes)
        assert answer.reason == ("" if taken else "unaccepted"), changes
    unit.database.close()


def test_one_person_and_one_client_take_no_more_than_their_share(folder: Path) -> None:
    settings = GatewaySettings(person_rate=1, person_burst=3, client_rate=1, client_burst=2)
    unit = Gateway(make_site(folder), settings=settings)
    cookie = unit.open_session()
    answers = [ask(unit, unverified_cookie=cookie).reason for _ in range(5)]
    assert answers == ["", "", "", "too-many", "too-many"]
    unit.clock.advance(timedelta(seconds=1))
    assert [ask(unit, unverified_cookie=cookie).reason for _ in range(2)] == ["", "too-many"]
    unit.clock.advance(timedelta(seconds=9))
    bearer = {"unverified_target": "/api/v1/me", "unverified_authorization": f"Bearer {unit.token()}"}
    assert [ask(unit, **bearer).reason for _ in range(3)] == ["", "", "too-many"]
    unit.database.close()


def test_uses_of_sessions_are_written_together_and_bring_back_none_that_ended(unit: Gateway) -> None:
    cookies = [unit.open_session(letter * 43, session=letter) for letter in "abc"]
    unit.clock.advance(timedelta(minutes=20))
    assert all(ask(unit, unverified_cookie=cookie).status == 204 for cookie in cookies)
    unit.store.end_session(digest("b" * 43), note=lambda _: (os.urandom(16).hex(), b"{}"))
    unit.uses.write()
    unit.clock.advance(timedelta(minutes=20))
    # Used after half of the time, so idle for less than the whole of it.
    assert [ask(unit, unverified_cookie=cookie).status for cookie in cookies] == [204, 401, 204]
    unit.clock.advance(timedelta(minutes=31))
    assert [ask(unit, unverified_cookie=cookie).status for cookie in cookies] == [401, 401, 401]


def test_uses_that_could_not_be_written_are_written_the_next_time(
    unit: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = unit.open_session()
    unit.clock.advance(timedelta(minutes=20))
    assert ask(unit, unverified_cookie=cookie).status == 204
    with monkeypatch.context() as broken:
        broken.setattr(unit.store, "touch", _unavailable)
        with pytest.raises(DatabaseUnavailable):
            unit.uses.write()
    unit.uses.write()
    unit.clock.advance(timedelta(minutes=20))
    assert ask(unit, unverified_cookie=cookie).status == 204


def _unavailable(_seen: object) -> None:
    raise DatabaseUnavailable


def test_sessions_end_by_age_and_by_idleness(unit: Gateway) -> None:
    cookie = unit.open_session()
    unit.clock.advance(timedelta(minutes=29))
    assert ask(unit, unverified_cookie=cookie).status == 204
    unit.uses.write()
    unit.clock.advance(timedelta(minutes=29))
    assert ask(unit, unverified_cookie=cookie).status == 204
    unit.uses.write()
    unit.clock.advance(timedelta(minutes=31))
    assert ask(unit, unverified_cookie=cookie).reason == "login"
    other = unit.open_session("d" * 43, opened=unit.clock.now() - timedelta(hours=8))
    assert ask(unit, unverified_cookie=other).reason == "login"


def test_a_bearer_token_is_taken_at_interfaces_only(unit: Gateway) -> None:
    bearer = f"Bearer {unit.token()}"
    answer = ask(unit, unverified_target="/api/v1/me", unverified_authorization=bearer)
    assert answer.status == 204
    assert unit.recorder.events[-1].attributes["client"] == "tax"
    assert ask(unit, unverified_authorization=bearer).reason == "credential"
    at_other = {"unverified_host": "social.city.localhost", "unverified_target": "/api/v1/me"}
    assert ask(unit, unverified_authorization=bearer, **at_other).reason == "credential"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("sso.session.ended", {"session": "sid-1", "subject": SUBJECT}),
        ("directory.person.disabled", {"subject": SUBJECT}),
    ],
)
def test_what_is_taken_away_ends_session_and_token(unit: Gateway, kind: str, fields: dict[str, Any]) -> None:
    cookie, bearer = unit.open_session(), f"Bearer {unit.token()}"
    api = {"unverified_target": "/api/v1/me", "unverified_authorization": bearer}
    assert ask(unit, unverified_cookie=cookie).status == ask(unit, **api).status == 204
    hear(unit, kind, outcome=Outcome.INTENDED, **fields)
    assert ask(unit, unverified_cookie=cookie).reason == "login"
    assert ask(unit, **api).reason == "credential"


def test_who_acts_for_a_company_is_judged_as_such_and_no_longer_once_that_is_withdrawn(unit: Gateway) -> None:
    held = (Mandate(organisation="mill", scope="tax", until=unit.clock.now().date()),)
    more = (*held, Mandate(organisation="forge", scope="all", until=unit.clock.now().date()))
    unit.directory.people[SUBJECT] = unit.person(mandates=more)
    token = unit.token(on_behalf_of={"kind": "organisation", "id": "mill", "service": "tax"})
    asking = {"unverified_target": "/api/me", "unverified_authorization": f"Bearer {token}"}
    answer = ask(unit, **asking)
    assert answer.status == 204
    (request,) = unit.engine.asked
    assert (request.mandates, request.acting_for) == (frozenset({"mill"}), "mill")
    host = unit.verifier_of("tax.city.localhost")
    assert host.verify(answer.identity, method="GET", path="/api/me", at=unit.clock.now()).on_behalf_of == (
        "organisation:mill:tax"
    )
    assert unit.recorder.events[-1].attributes["mandate"] == "organisation:mill:tax"
    # Another service of the same company is another mandate.
    other = unit.token(on_behalf_of={"kind": "organisation", "id": "mill", "service": "all"})
    assert ask(unit, **{**asking, "unverified_authorization": f"Bearer {other}"}).status != 204
    # The news drop what was known of the person: what the directory says now decides.
    unit.directory.people[SUBJECT] = unit.person(mandates=more[1:])
    unit.people.drop(SUBJECT)
    assert ask(unit, **asking).reason == "credential"


def test_a_session_acts_for_a_company_until_that_is_over(unit: Gateway) -> None:
    today = unit.clock.now().date()
    held = (
        Mandate(organisation="mill", scope="tax", until=today),
        Mandate(organisation="forge", scope="all", until=today),
    )
    unit.directory.people[SUBJECT] = unit.person(mandates=held)
    ends = int(unit.clock.now().timestamp()) + 60
    cookie = unit.open_session(mandate="organisation:mill:tax", mandate_ends=ends)
    answer = ask(unit, unverified_cookie=cookie)
    assert answer.status == 204
    (request,) = unit.engine.asked
    assert (request.mandates, request.acting_for) == (frozenset({"mill"}), "mill")
    host = unit.verifier_of("tax.city.localhost")
    told, _decided = host.verify_shown(answer.identity, at=unit.clock.now())
    assert (told.subject, told.on_behalf_of) == (SUBJECT, "organisation:mill:tax")
    assert unit.recorder.events[-1].attributes["mandate"] == "organisation:mill:tax"
    # Withdrawn, it is no session at all: never the person's own.
    unit.directory.people[SUBJECT] = unit.person(mandates=held[1:])
    unit.people.drop(SUBJECT)
    assert ask(unit, unverified_cookie=cookie).reason == "login"
    unit.directory.people[SUBJECT] = unit.person(mandates=held)
    unit.people.drop(SUBJECT)
    assert ask(unit, unverified_cookie=cookie).status == 204
    unit.clock.advance(timedelta(seconds=60))
    assert ask(unit, unverified_cookie=cookie).reason == "login"


def test_a_session_that_acts_for_a_person_ends_with_the_mandate_and_does_not_come_back(unit: Gateway) -> None:
    ends = int(unit.clock.now().timestamp()) + 3600
    cookie = unit.open_session(mandate="person:p9:tax", mandate_ends=ends)
    own = unit.open_session("o" * 43)
    assert ask(unit, unverified_cookie=cookie).status == 204
    of: dict[str, Any] = {"subject": SUBJECT, "attributes": {"principal": "p9", "scope": "tax", "until": "2099-01-01"}}
    hear(unit, "directory.mandate.withdrawn", index=1, **of)
    assert ask(unit, unverified_cookie=cookie).reason == "login"
    hear(unit, "directory.mandate.granted", index=2, **of)
    assert ask(unit, unverified_cookie=cookie).reason == "login"
    assert ask(unit, unverified_cookie=own).status == 204
    other = unit.open_session("p" * 43, mandate="person:p8:tax", mandate_ends=ends)
    hear(unit, "directory.person.disabled", index=3, subject="p8")
    assert ask(unit, unverified_cookie=other).reason == "login"


@pytest.mark.parametrize("said", ["mill", {}, {"kind": "company", "id": "mill", "service": "tax"}, {"kind": "person"}])
def test_a_mandate_that_cannot_be_read_makes_nobody_themselves(unit: Gateway, said: object) -> None:
    token = unit.token(on_behalf_of=said)
    answer = ask(unit, unverified_target="/api/me", unverified_authorization=f"Bearer {token}")
    assert answer.reason == "credential"


def test_a_revoked_grant_ends_its_tokens_only(unit: Gateway) -> None:
    api = {"unverified_target": "/api/v1/me"}
    hear(unit, "sso.token.revoked", object="g1", subject=SUBJECT)
    assert ask(unit, unverified_authorization=f"Bearer {unit.token()}", **api).status == 401
    assert ask(unit, unverified_authorization=f"Bearer {unit.token(grant='g2')}", **api).status == 204


def test_a_token_for_one_path_of_a_host_opens_nothing_beside_it(unit: Gateway) -> None:
    origin = unit.site.origin("tax")

    def status(audience: str, target: str = "/api/v1/me") -> int:
        bearer = f"Bearer {unit.token(aud=audience)}"
        return ask(unit, unverified_target=target, unverified_authorization=bearer).status

    assert status(origin) == status(f"{origin}/api") == 204
    for other in (f"{origin}/", f"{origin}/api/", f"{origin}/api/v1", f"{origin}/apis", f"{origin}/device", "/api"):
        assert status(other) == 401, other
    assert status(f"{origin}/api", "/declaration") == 401


def test_a_token_that_ended_alone_leaves_its_family(unit: Gateway) -> None:
    ended, other = unit.token(jti="t1"), unit.token(jti="t2")
    assert ask(unit, unverified_target="/api/v1/me", unverified_authorization=f"Bearer {ended}").status == 204
    hear(unit, "sso.token.ended", object="t1", subject=SUBJECT)
    assert ask(unit, unverified_target="/api/v1/me", unverified_authorization=f"Bearer {ended}").status == 401
    assert ask(unit, unverified_target="/api/v1/me", unverified_authorization=f"Bearer {other}").status == 204


def test_a_person_enabled_again_may_log_in_again_but_the_old_session_is_gone(unit: Gateway) -> None:
    cookie = unit.open_session()
    hear(unit, "directory.person.disabled", index=1, subject=SUBJECT)
    hear(unit, "directory.person.enabled", index=2, outcome=Outcome.INTENDED, subject=SUBJECT)
    api = {"unverified_target": "/api/v1/me", "unverified_authorization": f"Bearer {unit.token(sid='sid-2')}"}
    assert ask(unit, **api).status == 401
    hear(unit, "directory.person.enabled", index=3, subject=SUBJECT)
    assert ask(unit, **api).status == 204
    assert ask(unit, unverified_cookie=cookie).reason == "login"


def test_a_role_change_is_seen_at_once_and_people_are_kept_meanwhile(unit: Gateway) -> None:
    cookie = unit.open_session()
    for _ in range(3):
        ask(unit, unverified_cookie=cookie)
    assert unit.directory.asked == 1
    unit.directory.people[SUBJECT] = unit.person(roles=frozenset())
    hear(unit, "directory.role.withdrawn", subject=SUBJECT, attributes={"role": "citizen"})
    ask(unit, unverified_cookie=cookie)
    assert unit.engine.asked[-1].roles == frozenset()


def test_an_answer_on_its_way_when_the_news_came_is_not_kept(unit: Gateway) -> None:
    cookie = unit.open_session()
    read = unit.directory.person

    def slow(subject: str) -> Any:
        found = read(subject)
        unit.people.drop(subject)
        return found

    unit.directory.person = slow  # type: ignore[method-assign]  # the news arrives while LDAP answers
    ask(unit, unverified_cookie=cookie)
    ask(unit, unverified_cookie=cookie)
    assert unit.directory.asked == 2


def test_a_person_the_directory_does_not_know_is_denied(unit: Gateway) -> None:
    cookie = unit.open_session()
    unit.directory.people.clear()
    assert ask(unit, unverified_cookie=cookie).reason == "disabled"


def test_a_device_is_identified_until_its_certificate_or_itself_is_suspended(unit: Gateway) -> None:
    question = device_question()
    assert ask(unit, **question).status == 204
    assert (unit.engine.asked[-1].principal_kind, unit.engine.asked[-1].device) == ("device", DEVICE)
    serial = unit.verifier.verify(certificate_bytes(question), purpose="device", at=unit.clock.now()).serial
    hear(unit, "ca.certificate.suspended", index=1, object=serial, subject=DEVICE, attributes={"issuer": "devices"})
    assert ask(unit, **question).reason == "disabled"
    hear(unit, "ca.certificate.released", index=2, object=serial, subject=DEVICE, attributes={"issuer": "devices"})
    assert ask(unit, **question).status == 204
    hear(unit, "directory.device.disabled", index=3, subject=DEVICE)
    assert ask(unit, **question).reason == "disabled"


@pytest.mark.parametrize("issuer", ["devices-2", "devices-ml-dsa"])
def test_a_revocation_by_a_later_generation_bites_too(unit: Gateway, issuer: str) -> None:
    question = device_question()
    serial = unit.verifier.verify(certificate_bytes(question), purpose="device", at=unit.clock.now()).serial
    hear(unit, "ca.certificate.revoked", index=1, object=serial, subject=DEVICE, attributes={"issuer": issuer})
    assert ask(unit, **question).reason == "disabled"


def certificate_bytes(question: dict[str, str]) -> bytes:
    return unquote(question["unverified_certificate"]).encode()


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.REVOKED, Standing.POSSIBLY_ISSUED, Standing.UNKNOWN])
def test_a_device_certificate_that_is_not_good_is_denied(unit: Gateway, standing: Standing) -> None:
    unit.status.standing = standing
    assert ask(unit, **device_question()).reason == "disabled"


def test_a_foreign_certificate_is_refused(unit: Gateway) -> None:
    unit.verifier.foreign = True
    assert ask(unit, **device_question()).reason == "credential"


def test_a_device_certificate_opens_no_other_host(unit: Gateway) -> None:
    question = device_question() | {"unverified_host": "tax.city.localhost"}
    assert ask(unit, **question).reason == "credential"


def test_new_policies_are_loaded_at_once_and_until_they_are_nothing_is_allowed(unit: Gateway) -> None:
    cookie = unit.open_session()
    unit.engine.broken = True
    unit.engine.lies_there = 8
    hear(unit, "policy.released", object="8-abc", attributes={"sequence": 8})
    assert ask(unit, unverified_cookie=cookie).reason == "unavailable"
    unit.engine.broken = False
    unit.news.hear([])
    assert ask(unit, unverified_cookie=cookie).status == 204
    assert unit.engine.reloads == 2


def test_the_zone_follows_from_the_address_too(unit: Gateway) -> None:
    unit.engine.places = {"10.9.9.9": "internet", "10.2.0.1": ""}
    cookie = unit.open_session()
    assert ask(unit, unverified_cookie=cookie, address="10.9.9.9").status == 204
    assert unit.engine.asked[-1].from_zone == unit.recorder.events[-1].zone == "internet"
    # The internal network's address at the external door is refused before anybody is asked, and on the record.
    answer = ask(unit, unverified_cookie=cookie, address="10.2.0.1")
    assert (answer.status, answer.reason) == (403, "zone")
    assert len(unit.engine.asked) == 1
    assert (unit.recorder.events[-1].outcome, unit.recorder.events[-1].zone) == (Outcome.DENIED, "external")


def test_what_one_worker_heard_holds_for_the_next_and_after_a_restart(unit: Gateway) -> None:
    cookie = unit.open_session()
    hear(unit, "sso.session.ended", index=41, session="sid-1", subject=SUBJECT)
    other = Gateway(unit.site, clock=unit.clock, sign_key=unit.sign_key)
    assert other.news.start() == 42
    api = {"unverified_target": "/api/v1/me", "unverified_authorization": f"Bearer {unit.token()}"}
    assert ask(other, unverified_cookie=cookie).reason == "login"
    assert ask(other, **api).reason == "credential"
    # A slower worker repeats what the faster one already went beyond; nothing comes back.
    hear(other, "directory.person.enabled", index=40, subject=SUBJECT)
    assert ask(other, **api).reason == "credential"
    other.database.close()


def test_the_sign_ons_new_key_is_found_without_a_restart(unit: Gateway) -> None:
    api = {"unverified_target": "/api/v1/me"}
    assert ask(unit, unverified_authorization=f"Bearer {unit.token()}", **api).status == 204
    unit.sign_key = ec.generate_private_key(ec.SECP256R1())
    fresh = unit.token(headers={"kid": "k2"})
    assert ask(unit, unverified_authorization=f"Bearer {fresh}", **api).status == 401
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(unit.sign_key.public_key(), as_dict=True)
    (unit.site.public / "sso-jwks.json").write_text(json.dumps({"keys": [{**jwk, "kid": "k2"}]}))
    unit.clock.advance(timedelta(seconds=1))
    assert ask(unit, unverified_authorization=f"Bearer {fresh}", **api).status == 204


def test_a_key_that_was_withdrawn_verifies_nothing_a_second_later(unit: Gateway) -> None:
    api = {"unverified_target": "/api/v1/me"}
    stolen = unit.token()
    assert ask(unit, unverified_authorization=f"Bearer {stolen}", **api).status == 204
    (unit.site.public / "sso-jwks.json").write_text(json.dumps({"keys": []}))
    unit.clock.advance(timedelta(seconds=1))
    assert ask(unit, unverified_authorization=f"Bearer {stolen}", **api).reason == "credential"


def test_while_the_sign_on_starts_anew_its_last_keys_count(unit: Gateway) -> None:
    published, running = unit.site.public / "sso-jwks.json", unit.site.public / "running.json"
    known = json.loads(published.read_text())
    keys = KeyFile(published, newer=running, clock=unit.clock)
    assert keys.keys().knows("k1")
    running.write_text(json.dumps({"keys": [{**known["keys"][0], "kid": "k2"}]}))
    for there in (True, False, True):
        if there:
            running.write_text(json.dumps({"keys": [{**known["keys"][0], "kid": "k2"}]}))
        else:
            running.unlink()
        unit.clock.advance(timedelta(seconds=1))
        assert (keys.keys().knows("k1"), keys.keys().knows("k2")) == (False, True)


def test_the_cookie_itself_is_kept_nowhere(unit: Gateway) -> None:
    unit.open_session()
    stored = b"".join(path.read_bytes() for path in unit.site.folder("gateway").iterdir())
    assert COOKIE.encode() not in stored


def test_who_sends_forged_tokens_again_and_again_has_to_wait_but_sessions_do_not(unit: Gateway) -> None:
    cookie = unit.open_session()
    api = {"unverified_target": "/api/v1/me"}
    reasons = [ask(unit, unverified_authorization="Bearer forged", **api).reason for _ in range(62)]
    assert reasons == ["credential"] * 60 + ["too-many"] * 2
    good = {"unverified_authorization": f"Bearer {unit.token()}", **api}
    assert ask(unit, **good).reason == "too-many"
    assert ask(unit, address="203.0.113.8", **good).status == 204
    assert ask(unit, unverified_cookie=cookie).status == 204
    unit.clock.advance(timedelta(seconds=61))
    assert ask(unit, **good).status == 204


def test_what_two_officers_shut_stays_shut_until_they_open_it(unit: Gateway) -> None:
    cookie, bearer = unit.open_session(), f"Bearer {unit.token()}"
    api = {"unverified_target": "/api/v1/me", "unverified_authorization": bearer}
    page, change = {"unverified_cookie": cookie}, {"unverified_cookie": cookie, "unverified_method": "POST"}
    index = 0
    for switch, reading, writing, called in (
        ("zones=external:external", "shut", "shut", "shut"),
        ("zones=internal:external", "", "", ""),
        ("portal=tax", "shut", "shut", "shut"),
        ("portal=social", "", "", ""),
        ("client=tax", "", "", "shut"),
        ("writing", "", "shut", ""),
    ):
        # It bites with the intent, before the officer has heard that it is done.
        hear(unit, "gateway.switch.shut", index=index, outcome=Outcome.INTENDED, object=switch)
        assert [ask(unit, **one).reason for one in (page, change, api)] == [reading, writing, called], switch
        hear(unit, "gateway.switch.shut", index=index + 1, object=switch)
        hear(unit, "gateway.switch.reopened", index=index + 2, outcome=Outcome.INTENDED, object=switch)
        assert ask(unit, **api).reason == called
        hear(unit, "gateway.switch.reopened", index=index + 3, object=switch)
        assert [ask(unit, **one).reason for one in (page, change, api)] == ["", "", ""]
        index += 4
    hear(unit, "gateway.switch.shut", index=index, outcome=Outcome.INTENDED, object="portal=tax")
    hear(unit, "gateway.switch.shut", index=index + 1, outcome=Outcome.FAILURE, object="portal=tax")
    assert ask(unit, **page).reason == ""


def test_where_switches_are_reversed_none_holds(unit: Gateway) -> None:
    cookie = unit.open_session(host="audit.city.localhost", listener="management")
    for index, switch in enumerate(("zones=management:management", "portal=audit", "writing")):
        hear(unit, "gateway.switch.shut", index=index, object=switch)
    console = {"unverified_host": "audit.city.localhost", "listener": "management", "unverified_method": "POST"}
    assert ask(unit, unverified_cookie=cookie, **console).reason == ""
    assert ask(unit, unverified_cookie=cookie, **{**console, "unverified_host": "ca.city.localhost"}).reason == "shut"


def test_a_mandate_for_a_person_is_over_with_its_withdrawal_and_with_that_person(unit: Gateway) -> None:
    asking = {"unverified_target": "/api/me"}
    token = unit.token(on_behalf_of={"kind": "person", "id": "p9", "service": "tax"})
    other = unit.token(on_behalf_of={"kind": "person", "id": "p8", "service": "tax"})
    asking |= {"unverified_authorization": f"Bearer {token}"}
    assert ask(unit, **asking).status == 204
    of: dict[str, Any] = {"subject": SUBJECT, "attributes": {"principal": "p9", "scope": "tax", "until": "2099-01-01"}}
    hear(unit, "directory.mandate.withdrawn", index=1, **{**of, "subject": "another"})
    hear(unit, "directory.mandate.withdrawn", index=2, **{**of, "attributes": {**of["attributes"], "scope": "social"}})
    assert ask(unit, **asking).status == 204
    hear(unit, "directory.mandate.withdrawn", index=3, **of)
    assert ask(unit, **asking).reason == "credential"
    assert ask(unit, **{**asking, "unverified_authorization": f"Bearer {other}"}).status == 204
    # Given anew it counts anew, for what is issued from then on as well.
    hear(unit, "directory.mandate.granted", index=4, outcome=Outcome.INTENDED, **of)
    assert ask(unit, **asking).reason == "credential"
    hear(unit, "directory.mandate.granted", index=5, **of)
    assert ask(unit, **asking).status == 204
    hear(unit, "directory.person.disabled", index=6, subject="p9")
    assert ask(unit, **asking).reason == "credential"


def _proxied(unit: Gateway, **changes: Any) -> Answer:
    """Asked through a proxy of another zone, which proved itself by certificate, for somebody with a session."""
    pem = certificate("proxy")[0]
    cookie = ("c" if changes.get("known", True) else "d") * 43
    given = {"unverified_certificate": quote(pem.decode()), "unverified_cookie": unit.open_session(cookie), **changes}
    digest = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
    unit.engine.peers = {digest: "branch"} if changes.get("known", True) else {}
    given.pop("known", None)
    return ask(unit, **given)


def test_a_proxys_certificate_places_the_request_and_says_nothing_of_the_caller(folder: Path) -> None:
    settings = GatewaySettings()
    routes = settings.routes | {"tax": replace(settings.routes["tax"], peers=True)}
    unit = Gateway(make_site(folder), settings=replace(settings, routes=routes))
    assert _proxied(unit).status == 204
    (asked,) = unit.engine.asked
    assert (asked.from_zone, asked.principal_kind) == ("branch", "person")
    assert asked.port == unit.site.ports.external
    assert len(str(unit.recorder.events[-1].attributes["peer"])) == 64
    # A certificate of nobody's is the caller's own, and one proof of identity too many.
    assert _proxied(unit, known=False).reason == "ambiguous-credential"
    unit.database.close()


def test_where_a_route_expects_no_proxies_their_certificates_place_nothing(unit: Gateway) -> None:
    assert _proxied(unit).reason == "ambiguous-credential"


def test_open_hosts_are_shut_too_but_for_the_way_back(unit: Gateway) -> None:
    def asked(label: str, method: str = "GET") -> str:
        return ask(unit, unverified_host=f"{label}.city.localhost", unverified_method=method).reason

    before = len(unit.recorder.events)
    assert [asked("verify", "POST"), asked("acme", "POST"), asked("est")] == ["", "", ""]
    # Who it is they find out themselves; what is open is no decision and leaves no record.
    assert len(unit.recorder.events) == before
    hear(unit, "gateway.switch.shut", index=0, outcome=Outcome.INTENDED, object="writing")
    assert [asked("verify"), asked("verify", "POST"), asked("office-accounts", "DELETE")] == ["", "shut", "shut"]
    told = unit.recorder.events[-1]
    assert (told.type, told.outcome, told.object) == ("gateway.decision", Outcome.DENIED, "office-accounts")
    hear(unit, "gateway.switch.shut", index=1, object="portal=verify")
    hear(unit, "gateway.switch.reopened", index=2, object="writing")
    assert [asked("verify"), asked("acme", "POST")] == ["shut", ""]
    # Here officers log in to open it again: these hosts are never asked about, whatever is thrown.
    assert not {"sso", "card", "sso-tls", "ca-direct", "log", "pdp"} & {
        label for label, host in GatewaySettings().open_hosts.items() if host.asked
    }
    # A gateway that has heard nothing knows of no switch, and so opens nothing.
    unit.freshness.stale = True
    assert asked("acme", "GET") == "unavailable"


def test_a_closed_way_is_closed_to_open_hosts_too_and_to_nobody_else(unit: Gateway) -> None:
    unit.engine.places = {"10.9.0.1": "branch", "10.8.0.1": ""}

    def asked(label: str, listener: str = "external", address: str = "203.0.113.7") -> str:
        host = f"{label}.city.localhost"
        return ask(unit, unverified_host=host, listener=listener, address=address).reason

    hear(unit, "gateway.switch.shut", index=0, outcome=Outcome.INTENDED, object="zones=external:external")
    assert [asked(label) for label in ("acme", "est", "verify")] == ["shut"] * 3
    told = unit.recorder.events[-1]
    assert (told.outcome, told.object, told.zone, told.attributes["reason"]) == (
        Outcome.DENIED, "verify", "external", "shut",
    )  # fmt: skip
    # Other ways, of other listeners and of other networks at the same listener, stay open, and so does the way back.
    assert [asked("verify", "internal"), asked("verify", "management")] == ["", ""]
    assert asked("office-accounts", "internal") == ""
    assert asked("verify", address="10.9.0.1") == ""
    hear(unit, "gateway.switch.shut", index=1, outcome=Outcome.INTENDED, object="zones=branch:external")
    assert [asked("verify", address="10.9.0.1"), asked("verify")] == ["shut", "shut"]
    hear(unit, "gateway.switch.reopened", index=2, object="zones=external:external")
    assert [asked("verify", address="10.9.0.1"), asked("verify")] == ["shut", ""]
    # Whoever joined two networks, or came by no listener of ours, comes from nowhere.
    assert [asked("verify", address="10.8.0.1"), asked("verify", "attic")] == ["zone", "unknown-host"]
    hear(unit, "gateway.switch.shut", index=3, object="zones=internal:internal")
    assert asked("office-accounts", "internal") == "shut"
    unit.engine.answer = RuntimeError("never asked")
    assert asked("verify") == ""


def test_at_an_open_host_too_a_proxy_speaks_for_its_zone_or_its_zone_is_thought_of(folder: Path) -> None:
    hosts = GatewaySettings().open_hosts
    proving = {"acme": replace(hosts["acme"], peers=True)}
    unit = Gateway(make_site(folder), settings=replace(GatewaySettings(), open_hosts=hosts | proving))
    pem = certificate("proxy")[0]
    shown = quote(pem.decode())
    unit.engine.peers = {x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex(): "branch"}

    def asked(label: str, shows: str = "", listener: str = "external") -> str:
        host = f"{label}.city.localhost"
        return ask(unit, unverified_host=host, listener=listener, unverified_certificate=shows).reason

    hear(unit, "gateway.switch.shut", index=0, outcome=Outcome.INTENDED, object="zones=branch:external")
    # Where TLS asks for certificates, for whichever reason, the proxy is known by its own and nobody else is meant.
    assert [asked("acme", shown), asked("est", shown)] == ["shut", "shut"]
    told = unit.recorder.events[-1]
    assert (told.zone, told.attributes["reason"]) == ("branch", "shut")
    assert len(str(told.attributes["peer"])) == 64
    other = quote(certificate("stranger")[0].decode())
    assert [asked("acme"), asked("est"), asked("acme", other)] == ["", "", ""]
    # Where it asks for none, nobody can tell who came from there: the way is closed too wide, never too narrow.
    assert [asked("verify"), asked("verify", shown)] == ["shut", "shut"]
    assert asked("verify", listener="management") == ""
    hear(unit, "gateway.switch.reopened", index=1, object="zones=branch:external")
    assert [asked("acme", shown), asked("verify")] == ["", ""]
    # The other way round: who proves to come from elsewhere is not held by what is closed to the listener's own zone.
    hear(unit, "gateway.switch.shut", index=2, object="zones=external:external")
    assert [asked("acme", shown), asked("acme"), asked("verify", shown)] == ["", "shut", "shut"]
    unit.database.close()


def test_an_open_host_that_names_no_zone_stands_in_those_of_its_listeners(folder: Path) -> None:
    everywhere, one = OpenHost(role="ca", why="x"), OpenHost(role="ca", why="x", listeners=("management",))
    hosts = {"everywhere": everywhere, "one": one}
    unit = Gateway(make_site(folder), settings=GatewaySettings(open_hosts=hosts))

    def asked(label: str) -> str:
        return ask(unit, unverified_host=f"{label}.city.localhost").reason

    try:
        hear(unit, "gateway.switch.shut", index=0, object="zones=external:internal")
        assert [asked("everywhere"), asked("one")] == ["shut", ""]
        hear(unit, "gateway.switch.reopened", index=1, object="zones=external:internal")
        hear(unit, "gateway.switch.shut", index=2, object="zones=external:management")
        assert [asked("everywhere"), asked("one")] == ["shut", "shut"]
    finally:
        unit.database.close()


def test_read_only_takes_no_socket(unit: Gateway) -> None:
    cookie = unit.open_session(host="tax.city.localhost")
    socket = {
        "unverified_cookie": cookie,
        "unverified_target": "/queue/live",
        "upgrade": "websocket",
        "origin": f"https://tax.city.localhost:{unit.decider._site.ports.external}",
    }
    opened = ask(unit, **socket)
    assert opened.status == 204, opened
    assert ("switch", "writing") in unit.sealing.opened(opened.ties, at=unit.clock.now()).names
    hear(unit, "gateway.switch.shut", index=0, object="writing")
    assert ask(unit, **socket).reason == "shut"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"forwarded": True}, "forwarded"),
        ({"unverified_target": "//x"}, "ambiguous-path"),
        ({"unverified_target": "/queue/live", "upgrade": "h2c"}, "unaccepted"),
        ({"unverified_authorization": "Bearer x"}, "credential"),
        ({"unverified_cookie": "__Host-tallygate=a; __Host-tallygate=b"}, "ambiguous-credential"),
        ({"unverified_host": "moon.city.localhost"}, "unknown-host"),
        ({"address": "10.8.0.1"}, "zone"),
    ],
)
def test_a_refusal_before_the_policies_is_recorded_with_way_and_method_too(
    unit: Gateway, changes: dict[str, Any], reason: str
) -> None:
    unit.engine.places = {"10.9.0.1": "branch", "10.8.0.1": ""}
    assert ask(unit, **{"address": "10.9.0.1", "unverified_method": "POST"} | changes).reason == reason
    event = unit.recorder.events[-1]
    placed = reason not in ("unknown-host", "zone")
    assert event.zone == ("branch" if placed else "external")
    said = event.attributes
    assert (said["port"], said["method"]) == (unit.site.ports.external, "POST")
    assert said["protocol"] == ("websocket" if "upgrade" in changes else "https")
    assert said.get("to_zone") == (None if reason == "unknown-host" else "external")


def test_a_refused_request_of_another_zones_proxy_names_the_proxy(folder: Path) -> None:
    routes = GatewaySettings().routes
    settings = GatewaySettings(routes=routes | {"tax": replace(routes["tax"], peers=True)})
    unit = Gateway(make_site(folder), settings=settings)
    shown, _ = certificate("partner")
    digested = certificate_digest(quote(shown.decode()))
    unit.engine.peers = {digested: "partner"}
    assert ask(unit, unverified_certificate=quote(shown.decode()), forwarded=True).reason == "forwarded"
    event = unit.recorder.events[-1]
    assert (event.zone, event.attributes["peer"]) == ("partner", digested)
    unit.database.close()


@pytest.mark.parametrize(
    ("kind", "fields", "ends"),
    [
        ("policy.released", {}, True),
        ("policy.released", {"outcome": Outcome.INTENDED}, False),
        ("directory.person.changed", {"subject": SUBJECT}, True),
        ("directory.person.changed", {"subject": DEVICE}, False),
        # What was done past the record may concern anybody.
        ("directory.change.unrecorded", {"subject": DEVICE}, True),
        # Who is only looked at stays who they are.
        ("directory.person.read", {"subject": SUBJECT}, False),
        ("gateway.session.ended", {"session": "sid-1", "attributes": {"host": "tax.city.localhost"}}, True),
        ("gateway.session.ended", {"session": "sid-1", "attributes": {"host": "social.city.localhost"}}, False),
        ("sso.session.ended", {"session": "sid-1"}, True),
    ],
)
def test_what_is_heard_between_decision_and_opening_opens_no_socket(
    unit: Gateway, kind: str, fields: dict[str, Any], *, ends: bool
) -> None:
    """The keeper may have heard it before the socket came to it, and whoever decided may hear it after."""
    asked = {
        "unverified_cookie": unit.open_session(),
        "unverified_target": "/queue/live",
        "upgrade": "websocket",
        "origin": f"https://tax.city.localhost:{unit.site.ports.external}",
    }
    over: list[str] = []

    def opened() -> Held:
        answer = ask(unit, **asked)
        return unit.sockets.open(unit.sealing.opened(answer.ties, at=unit.clock.now()), end=over.append)

    held = opened()
    ties = unit.sealing.opened(ask(unit, **asked).ties, at=unit.clock.now())
    hear(unit, kind, index=7, **fields)
    assert bool(over) is ends
    if ends:
        with pytest.raises(Refused):
            unit.sockets.open(ties, end=over.append)
        assert decode_event(unit.store.outbox.head()[-1].body).attributes["reason"] == over[0]
    else:
        unit.sockets.open(ties, end=over.append)
    unit.sockets.close(held, "client", sent=0, received=0)
    if kind != "sso.session.ended":
        # Who asks again was decided on by what is so now.
        assert opened().over == ""


def test_nobody_holds_so_many_sockets_that_others_have_none(unit: Gateway) -> None:
    keeper = Sockets(
        store=unit.store, recorder=unit.recorder, news=unit.news, freshness=unit.freshness, clock=unit.clock, each=2
    )

    def ties(decision: str, subject: str) -> Ties:
        return Ties(
            decision=decision, subject=subject, session="sid-1", organisation="", resource="tax",
            host="tax.city.localhost", zone="external", role="portal:tax", live="live", names=(), until=0,
        )  # fmt: skip

    def nothing(_reason: str) -> None:
        return

    first = keeper.open(ties("d1", SUBJECT), end=nothing)
    keeper.open(ties("d2", SUBJECT), end=nothing)
    with pytest.raises(Refused):
        keeper.open(ties("d3", SUBJECT), end=nothing)
    assert not [one for one in unit.recorder.events if one.decision == "d3"], "nothing was opened"
    keeper.open(ties("d4", DEVICE), end=nothing)
    keeper.close(first, "client", sent=0, received=0)
    keeper.open(ties("d5", SUBJECT), end=nothing)


def test_an_address_has_its_limit_here_where_the_proxy_has_none(folder: Path) -> None:
    """Nginx and HAProxy limit addresses themselves; Debian's Caddy has nothing for it."""
    unit = Gateway(make_site(folder), settings=GatewaySettings(rate=1, burst=3))
    given = {"unverified_cookie": unit.open_session()}
    assert [ask(unit, **given, limited=False).status for _ in range(4)] == [204, 204, 204, 403]
    assert unit.recorder.events[-1].attributes["reason"] == "too-many"
    assert ask(unit, **given, limited=False, address="192.0.2.9").status == 204
    assert ask(unit, **given).status == 204, "another proxy's question"
    environ = {"HTTP_X_FORWARDED_METHOD": "GET", "HTTP_X_FORWARDED_FOR": "192.0.2.9"}
    limited = {name: reads(environ, "external").limited for name, reads in ADAPTERS.items()}
    assert limited == {"nginx": True, "caddy": False, "haproxy": True}
    unit.database.close()
