# SPDX-License-Identifier: Apache-2.0
"""Trust policies: what a file may say, and when cosignatures are enough."""

import base64

import pytest

from audit import ProofRefused
from audit.merkle import Checkpoint, CosignerKey, LogKey, Note, VerifierKey
from audit.merkle.keys import COSIGNATURE_ED25519
from audit.witness import Policy, PolicyRefused
from tests.fakes.clock import ManualClock

LOG = LogKey("audit.example.gov/log1", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)
WITNESSES = [CosignerKey(f"w.example/{i}", seed=bytes([i]) * 32, mldsa_seed=bytes([i]) * 32) for i in range(1, 7)]
KEYS = [str(witness.vkey) for witness in WITNESSES]
NAMES = ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
# The example of the specification, with keys.
EXAMPLE = f"""
log {LOG.vkey}

witness X1 {KEYS[0]}
witness X2 {KEYS[1]}
witness X3 {KEYS[2]}
group X-witnesses 2 X1 X2 X3

witness Y1 {KEYS[3]}
witness Y2 {KEYS[4]}
witness Y3 {KEYS[5]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
AT = ManualClock().now()
TEXT = Checkpoint(LOG.origin, 3, b"\x01" * 32).sign(LOG, AT)


def cosigned(*cosigners: CosignerKey) -> bytes:
    lines = [str(line) for each in cosigners for line in each.cosign(Note.parse(TEXT.encode()).text, AT)]
    return (TEXT + "".join(lines)).encode()


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        ("X1 X2 Y1", True), ("X1 X3 Y3", True), ("X1 X2 X3 Y1 Y2 Y3", True), ("X1 Y1", False), ("X1 X2 X3", False),
        ("Y1 Y2 Y3", False), ("", False), ("nobody", False), ("X-and-Y", False), ("X-witnesses Y-witnesses", False),
    ],
)  # fmt: skip
def test_the_example_of_the_specification(names: str, *, enough: bool) -> None:
    policy = Policy.parse(EXAMPLE.encode())
    assert [log.key for log in policy.logs] == [LOG.vkey]
    assert list(policy.witnesses) == NAMES
    assert policy.satisfied(set(names.split())) is enough


def test_no_quorum_asks_for_nothing() -> None:
    assert Policy.parse(b"quorum none\n").satisfied(set())


def test_one_witness_may_be_the_quorum() -> None:
    policy = Policy.parse(f"witness w {KEYS[0]} https://witness.example/\nquorum w\n".encode())
    assert policy.witnesses["w"].url == "https://witness.example/"
    assert policy.satisfied({"w"})
    assert not policy.satisfied(set())


def test_both_types_of_cosignature_count_and_are_verified() -> None:
    first, second = WITNESSES[:2]
    policy = Policy.parse(f"witness a {first.vkey}\nwitness b {second.mldsa_vkey}\ngroup g all a b\nquorum g".encode())
    raw = cosigned(first, second)
    assert policy.cosigned(Note.parse(raw)) == {"a": AT, "b": AT}
    assert policy.demand(raw, [LOG.vkey]).size == 3
    with pytest.raises(ProofRefused, match="too few"):
        policy.demand(cosigned(first), [LOG.vkey])
    other = LogKey(LOG.origin, seed=b"\x01" * 32)
    with pytest.raises(ProofRefused):
        policy.demand(raw, [other.vkey])


@pytest.mark.parametrize("at", [0, -1])
def test_a_forged_cosignature_spoils_the_note(at: int) -> None:
    policy = Policy.parse(f"witness a {WITNESSES[0].vkey}\nwitness b {WITNESSES[1].mldsa_vkey}\nquorum none".encode())
    for witness in WITNESSES[:2]:
        note = Note.parse(cosigned(witness))
        lines = [line for key in witness.vkeys for line in note.known(key)]
        for line in lines:
            forged = bytearray(line.content)
            forged[at] ^= 1
            spoilt = type(line)(line.name, line.key_id, bytes(forged))
            known = any(line.key_id == each.key.id for each in policy.witnesses.values())
            if known:
                with pytest.raises(ProofRefused):
                    policy.cosigned(Note(note.text, (*note.signatures, spoilt)))


def test_blanks_and_remarks_say_nothing() -> None:
    policy = Policy.parse(f"\t # all of it\n\n \t witness\t  w \t{KEYS[0]} \n#quorum x\nquorum \t w".encode())
    assert policy.quorum == "w"


def test_names_are_octets() -> None:
    raw = b"witness K " + KEYS[0].encode() + b"\nwitness \xe2\x84\xaa " + KEYS[1].encode() + b"\nquorum \xe2\x84\xaa\n"
    policy = Policy.parse(raw)
    assert policy.satisfied({"\u212a"})
    assert not policy.satisfied({"K"})
    odd = Policy.parse(b"witness \xff " + KEYS[0].encode() + b"\nquorum \xff")
    assert odd.satisfied(set(odd.witnesses))


def test_many_are_no_problem() -> None:
    witnesses = [CosignerKey(f"w{i}", seed=i.to_bytes(32, "big")) for i in range(64)]
    lines = [f"witness w{i} {each.vkey}" for i, each in enumerate(witnesses)]
    lines += [f"group g{i} any w{2 * i} w{2 * i + 1}" for i in range(32)]
    lines += ["group top 17 " + " ".join(f"g{i}" for i in range(32)), "quorum top"]
    policy = Policy.parse("\n".join(lines).encode())
    assert policy.satisfied({f"w{2 * i}" for i in range(17)})
    assert not policy.satisfied({f"w{i}" for i in range(32)})


def _same_key_other_name() -> str:
    return str(VerifierKey("another.name", COSIGNATURE_ED25519, WITNESSES[0].vkey.public))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0), ("witness w KEY", 0), ("quorum w", 1), ("quorum none\nquorum none", 2), ("quorum", 1),
        ("quorum none none", 1), ("quorum w\nwitness w KEY", 1), ("witness none KEY\nquorum none", 1),
        ("witness w KEY\nwitness w KEY2\nquorum w", 2), ("witness w KEY\nwitness v KEY\nquorum w", 2),
        ("witness w KEY\nwitness v SAME\nquorum w", 2), ("witness w LOG\nquorum w", 1), ("log KEY\nquorum none", 1),
        ("log LOG\nlog LOG\nquorum none", 2), ("log LOG x y\nquorum none", 1), ("witness w\nquorum none", 1),
        ("witness w KEY u v\nquorum w", 1), ("witness w rubbish\nquorum w", 1), ("group g any\nquorum g", 1),
        ("group g any w\nwitness w KEY\nquorum g", 1), ("witness w KEY\ngroup w any w\nquorum w", 2),
        ("witness w KEY\ngroup g any w w\nquorum g", 2), ("witness w KEY\ngroup g 2 w\nquorum g", 2),
        ("witness w KEY\ngroup g 0 w\nquorum g", 2), ("witness w KEY\ngroup g 01 w\nquorum g", 2),
        ("witness w KEY\ngroup g most w\nquorum g", 2), ("witness w KEY\ngroup g any none\nquorum g", 2),
        ("witness w KEY\ngroup g any w\ngroup h any w\nquorum g", 3), ("witness w KEY\ngroup g any g\nquorum g", 2),
        ("trust nobody\nquorum none", 1), ("quorum none\r\n", 1), ("quorum none\x00", 1), ("quorum none\x7f", 1),
        ("quorum\u00a0none", 1), ("quorum none # really", 1),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say(text: str, line: int) -> None:
    text = text.replace("KEY2", KEYS[1]).replace("KEY", KEYS[0]).replace("LOG", str(LOG.vkey))
    with pytest.raises(PolicyRefused) as refused:
        Policy.parse(text.replace("SAME", _same_key_other_name()).encode())
    assert refused.value.parameters["line"] == line


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(PolicyRefused):
        Policy.parse(b"#" * (1 << 20) + b"\nquorum none")


def test_a_key_under_a_name_that_no_signature_line_could_bear_is_refused() -> None:
    key = WITNESSES[0].mldsa_vkey
    assert key is not None
    with pytest.raises(PolicyRefused):
        Policy.parse(f"witness w {VerifierKey('n' * 256, key.type, key.public)}\nquorum w".encode())
    encoded = base64.b64encode(bytes([4]) + key.public[:32]).decode()
    with pytest.raises(PolicyRefused):
        Policy.parse(b"witness w \xff+00000000+" + encoded.encode() + b"\nquorum w")
