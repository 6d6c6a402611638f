# SPDX-License-Identifier: Apache-2.0
"""Advisories of the field, each as the request that did the harm elsewhere; docs/advisories.md is made of them.

``python -m tests.gateway.advisories`` writes that page anew.
"""

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "advisories.md"
PUBLIC, SECRET = "/", "/declaration"
"""A path that everybody may open at the portal, and one that only somebody with a session may."""
WHERE = "(where)"
"""Stands for the portal's name and port in what is sent."""
LENGTH = "(length)"
"""Stands for how long the body is."""


@dataclass(frozen=True, kw_only=True)
class Advisory:
    """One advisory, in our words, and how it is tried here."""

    number: str
    of: str
    told: str
    target: str = SECRET
    method: str = "GET"
    # Lines of the head after Host, as they are sent.
    lines: tuple[str, ...] = ()
    body: str = ""
    # Whether it is refused whoever asks; else it arrives as what it is, with nothing of what was forged.
    refused: bool = False
    # For what no request shows: the test that does, as ``file::name``.
    test: str = ""


def _header(number: str, of: str, told: str, *lines: str) -> Advisory:
    return Advisory(number=number, of=of, told=told, lines=lines)


def _path(number: str, of: str, told: str, target: str) -> Advisory:
    return Advisory(number=number, of=of, told=told, target=target, refused=True)


def _smuggled(number: str, of: str, told: str, *lines: str, body: str = "") -> Advisory:
    return Advisory(number=number, of=of, told=told, method="POST", lines=lines, body=body, refused=True)


def _shown(number: str, of: str, told: str, test: str) -> Advisory:
    return Advisory(number=number, of=of, told=told, test=test)


_INNER = f"GET {SECRET} HTTP/1.1\r\nHost: {WHERE}\r\n\r\n"
TABLE = (
    # What the client says of its own request.
    _header("CVE-2026-40575", "oauth2-proxy", "the client's forwarded path decides whether a login is needed",
            f"X-Forwarded-Uri: {PUBLIC}?forged"),
    _header("oauth2-proxy 3506", "oauth2-proxy", "the same with every address trusted by default",
            f"X-Forwarded-Uri: {PUBLIC}?forged", "X-Forwarded-For: 127.0.0.1, forged"),
    _header("GHSA-5hvv-m4w4-gf6v", "oauth2-proxy", "a health checker's name opens everything",
            "User-Agent: GoogleHC/1.0"),
    _header("CVE-2025-64484", "oauth2-proxy", "underscores instead of hyphens bring an identity past the cleaning",
            "X_Forwarded_User: forged", "X-Forwarded_Email: forged", "Tallygate_Identity: forged"),
    _header("CVE-2026-39858", "Traefik", "the same with what the boundary says of scheme and host",
            "X_Forwarded_Proto: forged", "X_Forwarded_Host: forged", "X_Original_URI: forged"),
    _header("GHSA-6384-m2mw-rf54", "Traefik", "the forwarded prefix alone is not rebuilt",
            "X-Forwarded-Prefix: /forged"),
    _header("CVE-2024-45410", "Traefik", "headers of the boundary are named as hop-by-hop and so taken away",
            "Connection: close, Tallygate-Identity, X-Forwarded-Host, X-Client-Address, Tallygate-Decision"),
    _header("CVE-2025-48865", "Fabio", "the same, to remove what the backend relies on",
            "Connection: keep-alive, X-Forwarded-For, X-Forwarded-Proto, Tallygate-Identity"),
    _header("CVE-2026-33433", "Traefik", "another spelling of the identity header comes first",
            "tallygate-identity: forged", "TALLYGATE-IDENTITY: forged"),
    _header("GHSA-f59h-q822-g45g", "Caddy", "groups under a name that becomes the trusted one behind FastCGI",
            "Remote_Groups: forged", "Tallygate_Decision: forged"),
    _header("CVE-2023-27487", "Envoy", "an internal header about the original path is believed",
            "X-Envoy-Original-Path: /", "X-Original-URI: /forged", "X-Rewrite-URL: /forged"),
    _header("CVE-2022-24112", "APISIX", "the client overwrites its own address",
            "X-Real-IP: 127.0.0.1", "X-Client-Address: forged", "X-Real-IP: forged"),
    _header("CVE-2025-29927", "Next.js", "a header for requests within the proxy skips the check",
            "Tallygate-Caller: nginx", "Tallygate-Secret: forged", "Tallygate-Anything: forged"),
    _header("CVE-2026-31908", "APISIX", "the decision's own answer is forged by the client",
            "Tallygate-Reason: forged", "Tallygate-Could: forged", "Tallygate-Step-Up: forged"),
    Advisory(number="RFC 7239 section 8.1", of="everybody", told="Forwarded is believed, whoever wrote it",
             lines=("Forwarded: for=127.0.0.1;host=forged;proto=https",), refused=True),
    _header("CVE-2020-14359", "Keycloak Gatekeeper", "headers in lower case go past the guard", "cookie: forged=1"),
    # One address, two readings.
    _path("CVE-2021-29492", "Envoy", "an escaped slash hides the protected path", f"/static%2F..%2F{SECRET[1:]}"),
    _path("CVE-2019-9901", "Envoy", "dots are resolved behind the decision", f"/static/..{SECRET}"),
    _path("GHSA-6jwx-7vp4-9847", "Traefik", "the decoded and the raw path differ", f"/%2e%2e{SECRET}"),
    _path("CVE-2021-32779", "Envoy", "a fragment belongs to the path for one alone", f"{SECRET}#/public"),
    _path("CVE-2026-41059", "oauth2-proxy", "an encoded fragment widens what is public", f"{SECRET}%23/public"),
    _path("CVE-2026-73551", "Envoy", "dots with a parameter stay dots for the backend", f"/static/..;a=b{SECRET}"),
    _path("CVE-2026-73511", "Envoy", "parameters of a segment hide its name", f"{SECRET};a=b"),
    _path("CVE-2021-43557", "APISIX", "the raw address is compared, another is fetched", f"//{SECRET[1:]}"),
    Advisory(number="GHSA-7rh7-c77v-6434", of="oauth2-proxy", told="a query looks like a public path",
             target=f"{SECRET}?x=/.tallygate/login"),
    _path("CVE-2013-4547", "nginx", "a byte that ends the string for some", f"{SECRET}%00/public"),
    # Two requests in one.
    Advisory(number="CVE-2021-40346", of="HAProxy", told="a name that is too long becomes a second length of nothing",
             method="POST", lines=(f"Content-Length0{'a' * 255}:", f"Content-Length: {LENGTH}"), body=_INNER),
    _smuggled("CVE-2005-2088", "Apache", "two lengths, of which each believes another",
              "Content-Length: 0", f"Content-Length: {LENGTH}", body=_INNER),
    _smuggled("CVE-2023-25725", "HAProxy", "a header without a name swallows the rest",
              ": forged", "Content-Length: 0"),
    _smuggled("CVE-2023-40225", "HAProxy", "an empty length is a length for some",
              "Content-Length: ", body=_INNER),
    _smuggled("CVE-2019-18277", "HAProxy", "an odd transfer coding is overlooked by one of two",
              "Content-Length: 4", "Transfer-Encoding: \x0bchunked", body=f"0\r\n\r\n{_INNER}"),
    # What is decided, and by which rules.
    _shown("CVE-2020-6174", "TUF", "one key signs twice and counts for two",
           "tests/policies/test_approval.py::test_one_key_under_two_names_is_one_administrator"),
    _shown("CVE-2020-15163", "TUF", "what failed verification once is trusted later",
           "tests/policies/test_bundle.py::test_a_broken_newer_release_leaves_the_old_in_force"),
    _shown("opa 7454", "Open Policy Agent", "records of decisions are dropped under load",
           "tests/gateway/test_nginx.py::test_what_cannot_be_decided_or_recorded_is_denied_with_a_clear_page"),
    _shown("envoy 37449", "Envoy", "errors of the authoriser are remembered",
           "tests/policies/test_cache.py::test_errors_and_answers_of_other_versions_are_not_kept"),
    _shown("oauth2-proxy 661", "oauth2-proxy", "an answer for one is remembered for the next",
           "tests/policies/test_cache.py::test_every_part_of_a_question_is_part_of_its_key"),
    _shown("cedar time edges", "Cedar", "an answer outlives the second in which its rule ended",
           "tests/policies/test_cache.py::test_what_the_clock_closed_stays_closed_though_it_was_just_allowed"),
    _shown("stale bundles", "Open Policy Agent", "an older signed bundle is put back",
           "tests/policies/test_bundle.py::test_a_newer_release_is_loaded_and_an_older_one_refused"),
)  # fmt: skip


def page() -> str:
    """docs/advisories.md."""
    lines = [
        "<!-- Made by `python -m tests.gateway.advisories`; tests/gateway/test_advisories.py compares. -->",
        "# Advisories of the field, tried here",
        "",
        "Each is sent through the real nginx, once by nobody and once by somebody with a session. *Refused* means that",
        "neither reaches the host. *As it is* means that nobody is turned away as before, and that the host gets the",
        "request of somebody with a session with nothing of what was forged. What no request shows has its own test.",
        "",
        "| advisory | of | what went wrong there | here |",
        "|---|---|---|---|",
    ]
    for each in TABLE:
        here = "refused" if each.refused else "as it is"
        if each.test:
            file, _, name = each.test.partition("::")
            here = f"[{name.removeprefix('test_').replace('_', ' ')}](../{file})"
        lines.append(f"| {each.number} | {each.of} | {each.told} | {here} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
