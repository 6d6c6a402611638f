# SPDX-License-Identifier: Apache-2.0
"""The peer API through `CAClient`: who may ask what, and how it is refused."""

import base64

import pytest

from ca.errors import AlreadyRevoked, IssuanceDenied, NoSuchCertificate
from ca.models import IssueRequest, Reason, Standing
from core.calls import CALLER_HEADER, SECRET_HEADER
from core.errors import TallygateError
from tests.fakes.people import CITIZEN

from .sites import SECRETS, Site
from .world import ask, request_for


def test_the_client_speaks_all_verbs(site: Site) -> None:
    client = site.peer()
    issued = client.issue(
        IssueRequest(profile="citizen", csr=request_for(), subject=CITIZEN.subject, actor="role:app", exception="drill")
    )
    assert client.status(issued.serial).good
    client.suspend(issued.serial, actor="role:app")
    client.release(issued.serial, actor="role:app")
    client.revoke(issued.serial, reason=Reason.SUPERSEDED, actor="role:app")
    assert client.status(issued.serial).standing is Standing.REVOKED
    shown = client.certificate(issued.serial)
    assert shown == site.authority.certificate(issued.serial)
    assert client.certificates(CITIZEN.subject) == [shown]


def test_the_client_raises_what_the_service_raises(site: Site) -> None:
    client = site.peer()
    with pytest.raises(TallygateError) as gone:
        client.certificate("1234")
    assert gone.value.code == NoSuchCertificate.code
    serial = site.authority.issue(ask()).serial
    client.revoke(serial, reason=Reason.UNSPECIFIED, actor="role:app")
    with pytest.raises(TallygateError) as twice:
        client.revoke(serial, reason=Reason.UNSPECIFIED, actor="role:app")
    assert twice.value.code == AlreadyRevoked.code


def test_a_role_gets_only_the_profiles_it_may_request(site: Site) -> None:
    request = IssueRequest(profile="citizen", csr=request_for(), subject=CITIZEN.subject, actor="role:signatures")
    with pytest.raises(TallygateError) as refused:
        site.peer("signatures").issue(request)
    assert refused.value.code == IssuanceDenied.code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"profile": 1}',
        b'{"profile":"citizen","profile":"server"}',
        b"\xff",
        b'{"csr":"%%%"}',
        b'{"profile":"citizen","csr":"AAAA","subject":"x","assurance":3}',
        b'{"profile":"citizen","csr":"AAAA","subject":"\\ud800","actor":""}',
        b'{"a":' * 5000,
    ],
)
def test_bad_documents_are_refused(site: Site, body: bytes) -> None:
    headers = {CALLER_HEADER: "app", SECRET_HEADER: base64.b64encode(SECRETS["app"]).decode()}
    for path in ("/api/v1/certificates", "/api/v1/certificates/12ab/revoke", "/api/v1/certificates/zz/suspend"):
        response = site.client().post(path, data=body, headers=headers, content_type="application/json")
        assert 400 <= response.status_code < 500, (path, body, response.data)
        assert response.content_type == "application/problem+json"


def test_strangers_and_wrong_secrets_get_nothing(site: Site) -> None:
    for headers in ({}, {CALLER_HEADER: "app", SECRET_HEADER: "AAAA"}, {CALLER_HEADER: "mallory"}):
        assert site.client().get("/api/v1/certificates/12ab/status", headers=headers).status_code == 401
