# SPDX-License-Identifier: Apache-2.0
"""One certificate against everything it was to be: what the tables say, what its profile allows, who signed it."""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from asn1crypto import pem

from .models import Row
from .names import Constraints
from .reading import ALTERNATIVES, AUTHORITY_KEY, SUBJECT_KEY, Parsed, Unreadable, kind_of, parse, signed_by
from .rules import Rule, expression

_SECOND = timedelta(seconds=1)
_BACKDATED = timedelta(minutes=2)
_LATE = timedelta(minutes=10)
_FEWEST_BITS, _MOST_OCTETS = 64, 20
_RANDOM = (1 << 136) - 1
_APART = 1 << 72
"""Two random numbers of 136 bits lie closer than this once in 10^19 pairs."""
_FEWEST_ONES, _MOST_ONES = 24, 112
_BASIC, _USAGE, _EXTENDED = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_POLICIES, _POINTS, _ACCESS = "2.5.29.32", "2.5.29.31", "1.3.6.1.5.5.7.1.1"
_NO_CHECK, _CONSTRAINTS = "1.3.6.1.5.5.7.48.1.5", "2.5.29.30"

Said = Iterator[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """An authority as its published certificate says."""

    name: str
    certificate: Parsed
    # Of itself and of whatever stands above it.
    constraints: Sequence[Constraints]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What does not change from one certificate to the next."""

    rules: Mapping[str, Rule]
    issuers: Mapping[str, Issuer]
    # Where lists, answers and authorities are published.
    origin: str
    country: str
    domain: str
    instance: int


def read_issuers(public: Path) -> dict[str, Issuer]:
    """Every authority that the site publishes.

    Raises:
        Unreadable: one is no certificate.
        OSError: one cannot be read.
    """
    found: dict[str, Parsed] = {}
    for folder in (public, public / "issuers", public / "ml-dsa", public / "ml-dsa" / "issuers"):
        for path in sorted(folder.glob("*.pem")):
            content = path.read_bytes()
            if not pem.detect(content):
                continue
            label, _, der = pem.unarmor(content)
            if label == "CERTIFICATE":
                found[path.stem] = parse(der)
    return {
        name: Issuer(name=name, certificate=parsed, constraints=[_constraints(each) for each in _above(parsed, found)])
        for name, parsed in found.items()
    }


def _above(parsed: Parsed, all_of_them: Mapping[str, Parsed]) -> list[Parsed]:
    chain = [parsed]
    while chain[-1].issuer != chain[-1].subject and len(chain) < len(all_of_them):
        over = next((each for each in all_of_them.values() if each.subject == chain[-1].issuer), None)
        if over is None:
            break
        chain.append(over)
    return chain


def _constraints(parsed: Parsed) -> Constraints:
    found = parsed.extensions.get(_CONSTRAINTS)
    return Constraints.read(found.value if found else None)


def examine(row: Row, scene: Scene, neighbours: Sequence[int]) -> tuple[Parsed | None, list[tuple[str, str]]]:
    """Everything that is wrong with one certificate; ``neighbours`` are serials that were drawn shortly before."""
    try:
        parsed = parse(row.der)
    except Unreadable as error:
        return None, [("unreadable", str(error))]
    found = [*_as_stored(row, parsed), *_serial(parsed.serial, scene.instance, neighbours)]
    found += _signature(row, parsed, scene)
    rule = scene.rules.get(row.profile)
    if rule is None:
        return parsed, [*found, ("profile", "no such profile")]
    known = {"country": scene.country, "domain": scene.domain, "id": row.subject}
    checks: tuple[Callable[[], Said], ...] = (
        lambda: _validity(row, parsed, rule),
        lambda: _key(parsed, rule),
        lambda: _extensions(parsed, rule),
        lambda: _subject(row, parsed, rule, known),
        lambda: _alternatives(parsed, rule, known),
        lambda: _where(row, parsed, rule, scene),
    )
    for check in checks:
        try:
            found += check()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            found.append(("unreadable", f"an extension: {type(error).__name__}"))
    return parsed, found


def _as_stored(row: Row, parsed: Parsed) -> Said:
    if format(parsed.serial, "x") != row.serial:
        yield "stored", "another serial"
    if parsed.key_hash != row.key_hash:
        yield "stored", "another key"
    if (parsed.not_before, parsed.not_after) != (row.not_before, row.not_after):
        yield "stored", "another validity"


def _serial(serial: int, instance: int, neighbours: Sequence[int]) -> Said:
    if serial <= 0 or serial.bit_length() > _MOST_OCTETS * 8 - 1 or (serial & _RANDOM).bit_length() < _FEWEST_BITS:
        yield "serial", "too short, too long or not positive"
    if serial >> _RANDOM.bit_length() != instance:
        yield "serial", "of another instance"
    drawn = serial & _RANDOM
    if not _FEWEST_ONES <= drawn.bit_count() <= _MOST_ONES:
        yield "serial-predictable", "hardly any chance in its bits"
    if any(0 < abs(drawn - (other & _RANDOM)) < _APART for other in neighbours):
        yield "serial-predictable", "next to one drawn before"


def _signature(row: Row, parsed: Parsed, scene: Scene) -> Said:
    issuer = scene.issuers.get(row.issuer)
    if issuer is None:
        yield "issuer", "no such authority is published"
        return
    if parsed.version != "v3":
        yield "issuer", "not of version 3"
    if parsed.issuer != issuer.certificate.subject or parsed.ids[1] != issuer.certificate.ids[0]:
        yield "issuer", "names another authority"
    if not signed_by(parsed, issuer.certificate.key):
        yield "signature", "not the issuer's"
    if parsed.not_after > issuer.certificate.not_after or parsed.not_before < issuer.certificate.not_before:
        yield "outlives", "valid when its issuer is not"
    if not all(each.allow(parsed) for each in issuer.constraints):
        yield "constraints", "a name lies outside what the authority may speak of"


def _validity(row: Row, parsed: Parsed, rule: Rule) -> Said:
    # Both ends count (RFC 5280 section 4.1.2.5).
    if (parsed.not_after - parsed.not_before + _SECOND).total_seconds() > rule.seconds:
        yield "validity", "longer than its profile allows"
    if parsed.not_after <= parsed.not_before:
        yield "validity", "ends before it begins"
    if not row.created - _BACKDATED <= parsed.not_before <= row.created + _LATE:
        yield "validity", "begins at another time than it was issued"


def _key(parsed: Parsed, rule: Rule) -> Said:
    if kind_of(parsed.key) not in rule.keys:
        yield "key", "of a kind or size that its profile does not allow"


def _extensions(parsed: Parsed, rule: Rule) -> Said:
    critical = {_BASIC: True, _USAGE: True, _EXTENDED: rule.extended_critical}
    expected = {**critical, **dict.fromkeys((SUBJECT_KEY, AUTHORITY_KEY, _POLICIES), False)}
    expected |= {_NO_CHECK: False} if rule.no_check else {_POINTS: False, _ACCESS: False}
    if rule.alternatives or rule.hosts:
        expected[ALTERNATIVES] = False
    if {oid: each.critical for oid, each in parsed.extensions.items()} != expected:
        yield "extensions", "others than its profile has, or critical where they are not to be"
    if expected.keys() - parsed.extensions.keys():
        return
    basic = parsed.extensions[_BASIC].value.native
    if basic["ca"] or basic["path_len_constraint"] is not None:
        yield "authority", "may issue certificates"
    wanted = set(rule.usage)
    if kind_of(parsed.key) != "RSA":
        wanted.discard("key_encipherment")
    if set(parsed.extensions[_USAGE].value.native) != wanted:
        yield "usage", "other key usage than its profile has"
    extended = [each.dotted for each in parsed.extensions[_EXTENDED].value]
    if len(extended) != len(rule.extended) or set(extended) != rule.extended:
        yield "extended-usage", "other purposes than its profile has"
    policies = [each["policy_identifier"].dotted for each in parsed.extensions[_POLICIES].value]
    if policies != [rule.policy]:
        yield "policy", "another policy than its profile's"


def _subject(row: Row, parsed: Parsed, rule: Rule, known: Mapping[str, str]) -> Said:
    left = list(parsed.name)
    for part in rule.names:
        if left and left[0][0] == part.oid:
            value = left.pop(0)[1]
            own = {**known, "name": row.name} if rule.subject != "representative" else known
            if not expression(part.template, own).fullmatch(value):
                yield "subject", "an attribute says something else than its profile and the tables"
        elif not part.optional:
            yield "subject", "an attribute is missing"
    if left:
        yield "subject", "an attribute that its profile has not"


def _alternatives(parsed: Parsed, rule: Rule, known: Mapping[str, str]) -> Said:
    names = parsed.alternatives
    for kind, values in (("uri", names.uris), ("upn", names.upns)):
        wanted = [template for each, template in rule.alternatives if each == kind]
        if len(wanted) != len(values) or not all(
            expression(template, known).fullmatch(value) for template, value in zip(wanted, values, strict=True)
        ):
            yield "alternatives", f"another {kind} than its profile has"
    if names.others:
        yield "alternatives", "a name of a kind that no profile has"
    if bool(names.hosts or names.addresses) is not rule.hosts:
        yield "alternatives", "hosts where there are to be none, or none where there are to be some"


def _where(row: Row, parsed: Parsed, rule: Rule, scene: Scene) -> Said:
    if rule.no_check or {_POINTS, _ACCESS} - parsed.extensions.keys():
        return
    list_at = f"{scene.origin}/crl/{row.issuer}{f'/{row.shard}' if row.shard else ''}.crl"
    points = [each.native for point in parsed.extensions[_POINTS].value for each in point["distribution_point"].chosen]
    if points != [list_at]:
        yield "places", "another revocation list than it stands on"
    access = {each["access_method"].native: each["access_location"].native for each in parsed.extensions[_ACCESS].value}
    wanted = {"ocsp": f"{scene.origin}/ocsp/{row.issuer}", "ca_issuers": f"{scene.origin}/ca/{row.issuer}.cer"}
    if access != wanted:
        yield "places", "another address of answers or of its issuer"


def commitment(key: bytes, content: bytes) -> bytes:
    """What the record holds of some bytes."""
    return hmac.digest(key, content, "sha256")


def tbs_of(der: bytes) -> bytes:
    """The bytes that were signed; empty if they cannot be read."""
    try:
        return parse(der).tbs
    except Unreadable:
        return b""
