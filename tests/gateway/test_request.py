# SPDX-License-Identifier: Apache-2.0
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadReturn, BadTarget, Reason, Refused
from gateway.models import Question
from gateway.request import credentials, matches, return_path, target

COOKIE = "a" * 43


def _question(*, cookie: str = "", authorization: str = "", certificate: str = "") -> Question:
    return Question(
        listener="external",
        unverified_method="GET",
        unverified_host="tax.city.localhost",
        unverified_target="/",
        unverified_cookie=cookie,
        unverified_authorization=authorization,
        unverified_certificate=certificate,
        address="127.0.0.1",
    )


@given(st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=0x17F), max_size=40))
def test_an_accepted_target_has_the_same_path_however_it_is_decoded(tail: str) -> None:
    try:
        found = target("GET", "/" + tail)
    except BadTarget:
        return
    path = found.raw.partition("?")[0]
    assert unquote(unquote(path)) == unquote(path) == found.path
    assert path.count("/") == found.path.count("/")
    assert not {".", ".."} & set(found.path.split("/"))
    assert not {";", "\\", "\0"} & set(found.path)
    assert "//" not in found.path


@pytest.mark.parametrize("method", ["get", "", "TRACE", "GET ", "CONNECT", "GET\x00"])
def test_only_known_methods_are_read(method: str) -> None:
    with pytest.raises(BadTarget):
        target(method, "/")


@pytest.mark.parametrize("raw", ["", "*", "a", "http://evil.example/", "/a b", "/\t", "/%", "/a%2"])
def test_what_is_no_path_is_refused(raw: str) -> None:
    with pytest.raises(BadTarget):
        target("GET", raw)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/.tallygate/login",
        "javascript:alert(1)",
        "/%2f",
    ],
)
def test_a_login_returns_only_to_pages_of_the_same_host(raw: str) -> None:
    with pytest.raises(BadReturn):
        return_path(raw)


def test_patterns_match_exactly_or_beneath() -> None:
    assert matches("/", ("/",))
    assert not matches("/a", ("/",))
    assert matches("/api/v1/x", ("/api/*",))
    assert not matches("/api", ("/api/*",))
    assert not matches("/apix", ("/api/*",))


@pytest.mark.parametrize(
    "cookie",
    [
        f"__Host-tallygate={COOKIE}; __Host-tallygate={'b' * 43}",
        f"__Host-tallygate={COOKIE};__Host-tallygate={COOKIE}",
        f"__Host-tallygate={COOKIE}, __Host-tallygate=",
        f"__host-tallygate={COOKIE}; __Host-tallygate={COOKIE}",
        "x" * 20_000,
    ],
)
def test_a_cookie_given_twice_is_ambiguous(cookie: str) -> None:
    with pytest.raises(Refused) as refused:
        credentials(_question(cookie=cookie))
    assert refused.value.reason is Reason.AMBIGUOUS_CREDENTIAL


def test_two_kinds_of_credential_are_ambiguous() -> None:
    with pytest.raises(Refused) as refused:
        credentials(_question(cookie=f"__Host-tallygate={COOKIE}", authorization="Bearer abc"))
    assert refused.value.reason is Reason.AMBIGUOUS_CREDENTIAL


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer  a", "Bearer a b", "Bearer a\x00", "Token x"])
def test_other_ways_to_authorize_are_not_taken(header: str) -> None:
    with pytest.raises(Refused):
        credentials(_question(authorization=header))


def test_two_bearer_tokens_are_ambiguous() -> None:
    with pytest.raises(Refused) as refused:
        credentials(_question(authorization="Bearer a,Bearer b"))
    assert refused.value.reason is Reason.AMBIGUOUS_CREDENTIAL


@pytest.mark.parametrize("cookie", ["", "a=b", "__Host-tallygate=short", "__Host-tallygate=" + "é" * 43])
def test_a_cookie_that_was_never_ours_identifies_nobody(cookie: str) -> None:
    assert credentials(_question(cookie=cookie)).unverified_session == ""


@pytest.mark.parametrize("certificate", ["x", "%2D" * 9000, "-----BEGIN%20CERTIFICATE-----" * 2])
def test_what_is_not_one_certificate_is_refused(certificate: str) -> None:
    with pytest.raises(Refused):
        credentials(_question(certificate=certificate))
