# SPDX-License-Identifier: Apache-2.0
"""docs/profiles.md, from the profiles' own files."""

from ca.x509 import PROFILES, Profile
from ca.x509.profiles import EXTENDED_OIDS, Hosts, Usage

_INTRODUCTION = """\
# Profiles

A profile says what one kind of certificate holds and who may ask for it. Each is a reviewed file in `ca/profiles`; a
change there changes what the authority vouches for, so it is reviewed like code. All are checked strictly when a role
starts: an unknown key, a placeholder that the directory cannot fill, two profiles of one policy, a profile without an
issuer or an issuer without a profile stops it. `site` stands for the setting `oid_base` of `[site]`.

What is true of every certificate: version 3; the serial has one byte for the instance and 136 random bits; validity
begins at most a minute ago, both ends count, and nothing outlives its issuer; basic constraints (critical, no
authority), key usage (critical), extended key usage, subject and authority key identifier and exactly one policy; and
unless it is an OCSP delegate's, where its revocation list, its OCSP answers and its issuer's certificate are. Text in
names is UTF8String, country and serial number PrintableString. Nothing is taken from a request but its key.
"""


def profiles_page(generated: str) -> str:
    """The page."""
    rows = "".join(
        f"| [`{each.name}`](#{each.name}) | {each.about} | `{each.policy}` | {_days(each)} | {each.approvals} |\n"
        for each in PROFILES.values()
    )
    head = "| profile | for | policy | validity | approvals |\n| --- | --- | --- | --- | --- |\n"
    return "\n".join([generated, _INTRODUCTION, head + rows, *(_section(each) for each in PROFILES.values())])


def _section(profile: Profile) -> str:
    lines = [
        ("issued by", ", ".join(profile.issuers)),
        ("subject", profile.subject.value),
        ("policy", f"`{profile.policy}`"),
        ("validity", _days(profile)),
        ("keys", ", ".join(profile.keys)),
        ("key usage", ", ".join(_usage(each) for each in profile.usage)),
        ("extended key usage", _extended(profile)),
        ("may ask", ", ".join(f"`{each}`" for each in profile.requesters)),
        (
            "approvals",
            f"{profile.approvals}; whoever asks or approves is identified at level {profile.assurance}{_own(profile)}",
        ),
        ("hosts", "named by the request, within the site" if profile.hosts is Hosts.REQUIRED else "none"),
    ]
    lines += [
        (f"name: {each.attribute.value}", f"`{each.value}`" + (", left out if empty" if each.optional else ""))
        for each in profile.names
    ]
    lines += [(f"alternative name: {each.kind.value}", f"`{each.value}`") for each in profile.alternatives]
    lines.append(("shown in the directory", "yes, while it is good" if profile.published else "no"))
    if profile.no_check:
        lines.append(("id-pkix-ocsp-nocheck", "yes"))
    lines += [(f"lint exception `{each.code}`", f"about `{each.about}`: {each.reason}") for each in profile.exceptions]
    table = "| | |\n| --- | --- |\n" + "".join(f"| {name} | {value} |\n" for name, value in lines)
    return f"## {profile.name}\n\n{profile.about}\n\n{table}"


def _days(profile: Profile) -> str:
    return f"{profile.validity_days} days"


def _usage(usage: Usage) -> str:
    return f"{usage.value} (RSA keys)" if usage is Usage.KEY_ENCIPHERMENT else usage.value


def _extended(profile: Profile) -> str:
    said = ", ".join(f"{each.value} ({EXTENDED_OIDS[each].dotted_string})" for each in profile.extended)
    return f"{said}, critical" if profile.extended_critical else said


def _own(profile: Profile) -> str:
    """Who does without an officer."""
    if not profile.self_service:
        return ""
    return f"; persons proofed and identified at level {profile.self_service} have it made for themselves without one"
