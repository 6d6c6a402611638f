# SPDX-License-Identifier: Apache-2.0
"""The signer is the only way to a key: its files, its doors, and that nobody else has one."""

import ast
import os
import stat
from pathlib import Path
from typing import get_type_hints

import pytest

import ca
from ca.errors import KeyUnusable, NoSuchIssuer
from ca.service import CertificateAuthority
from ca.signer import DeliverySigner, Signer, StampSigner
from ca.signer.keys import write_private
from ca.x509.answers import AnswerDraft
from ca.x509.deliveries import DeliveryAttributes
from ca.x509.lint import LintedDraft
from ca.x509.lists import ListDraft
from ca.x509.stamps import StampAttributes

from .world import World, ask

HOME = Path(ca.__file__).parent

# Who may call a method named "sign", and what with.
MAY_SIGN = {
    # Issuing keys: the first door, and what the others sign, in three spellings.
    "signer/signer.py": 1,
    "signer/raw.py": 3,
    # The throw-away key of lint.
    "x509/lint.py": 1,
    # At a ceremony, certificates and the root's revocation list: each first by a throw-away key, for lint.
    "ceremony/authorities.py": 4,
    # A request for a key this process made.
    "service/authority.py": 1,
}


def test_nobody_else_signs() -> None:
    found: dict[str, int] = {}
    for path in sorted(HOME.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sign":
                name = str(path.relative_to(HOME))
                found[name] = found.get(name, 0) + 1
    assert found == MAY_SIGN


def test_nobody_else_opens_a_private_key() -> None:
    users = {
        str(path.relative_to(HOME)) for path in HOME.rglob("*.py") if "load_pem_private_key" in path.read_text("utf-8")
    }
    # The root's, at a ceremony; no running role can read its file. And a stranger's key that leaked: whoever reports it
    # may bring it, and only its public half is looked for.
    assert users == {"signer/keys.py", "ceremony/offline.py", "incidents/selection.py"}


def test_the_signer_has_exactly_its_doors() -> None:
    doors = {name for name in vars(Signer) if not name.startswith("_")}
    # Two sign nothing: whose delegate answers, and for which issuers it has keys.
    assert doors == {"certificate", "crl", "answer", "responder", "know"}
    assert {name for name in vars(StampSigner) if not name.startswith("_")} == {"load", "digest", "stamp"}
    # What goes in is a type that was checked, never bytes.
    assert {name for name in vars(DeliverySigner) if not name.startswith("_")} == {"load", "deliver"}
    doors_of_all = (Signer.certificate, Signer.crl, Signer.answer, StampSigner.stamp, DeliverySigner.deliver)
    asked = [get_type_hints(each) for each in doors_of_all]
    assert [next(iter(each.values())) for each in asked] == [
        LintedDraft,
        ListDraft,
        AnswerDraft,
        StampAttributes,
        DeliveryAttributes,
    ]


def test_only_the_ceremony_of_issuance_knocks_at_the_first_door() -> None:
    callers = {
        str(path.relative_to(HOME)) for path in HOME.rglob("*.py") if "_signer.certificate(" in path.read_text("utf-8")
    }
    # One at a time, and many by the same steps.
    assert callers == {"service/issuance.py", "service/batches.py"}


def test_a_key_others_can_read_is_not_used(world: World) -> None:
    path = world.site.folder("ca") / "keys" / "people.pem"
    path.chmod(0o640)
    with pytest.raises(KeyUnusable):
        world.open().issue(ask())
    assert world.reported()[-1] == "ca.certificate.abandoned"


def test_a_key_of_another_issuer_is_not_used(world: World) -> None:
    keys = world.site.folder("ca") / "keys"
    (keys / "people.pem").write_bytes((keys / "devices.pem").read_bytes())
    with pytest.raises(KeyUnusable):
        world.open().issue(ask())


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_broken_key_file_is_named(world: World, content: bytes) -> None:
    (world.site.folder("ca") / "keys" / "people.pem").write_bytes(content)
    with pytest.raises(KeyUnusable, match=r"people\.pem"):
        world.open().issue(ask())


def test_a_missing_delegate_makes_the_role_unready(world: World, authority: CertificateAuthority) -> None:
    authority.check()
    (world.site.folder("ca") / "keys" / "ocsp-people.pem").unlink()
    with pytest.raises(KeyUnusable):
        authority.check()
    assert authority.renew_responders() == 1
    authority.check()


def test_an_unknown_issuer_has_no_key(authority: CertificateAuthority) -> None:
    with pytest.raises(NoSuchIssuer):
        authority._signer._issuing("root")


def test_a_key_is_not_written_through_a_planted_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"kept")
    key = tmp_path / "nginx" / "tls.key"
    key.parent.mkdir()
    (key.parent / f".tls.key.{os.getpid()}.new").symlink_to(precious)
    write_private(key, b"a key")
    assert precious.read_bytes() == b"kept"
    assert not key.is_symlink()
    assert key.read_bytes() == b"a key"


def test_a_key_is_its_owners_alone_even_where_a_wider_file_was_prepared(tmp_path: Path) -> None:
    prepared = tmp_path / f".tls.key.{os.getpid()}.new"
    prepared.touch(0o666)
    prepared.chmod(0o666)
    write_private(tmp_path / "tls.key", b"a key")
    assert stat.S_IMODE((tmp_path / "tls.key").stat().st_mode) == 0o600
