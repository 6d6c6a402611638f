# SPDX-License-Identifier: Apache-2.0
"""Two sites witness each other over HTTP: two audit roles as they are wired, each with its log's own process."""

import base64
import hashlib
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from werkzeug.serving import BaseWSGIServer, make_server

from audit import Recorder, RecordUnavailable, Wait
from audit.client import RecorderClient
from audit.witness import State, WitnessStatus
from tests.fakes.audit_role import AuditRole
from tests.fakes.log_site import event, wait_for


class Site:
    """An audit role and the address at which others reach it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.role = AuditRole(name)
        self._recorders: list[RecorderClient] = []
        self.server: BaseWSGIServer | None = None
        self.port = 0
        self.listen()

    def listen(self) -> None:
        """Serve, at the same port as before."""
        self.server = make_server("127.0.0.1", self.port, self._app, threaded=True)
        self.port = self.server.port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hang_up(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def _app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self.role.app.wsgi_app(environ, start_response)

    def key(self, name: str) -> str:
        return (self.role.context.site.public / name).read_text("utf-8").strip()

    def trusts(self, other: "Site") -> None:
        """Ask the other to witness, by both its keys; and witness it."""
        url = f"http://127.0.0.1:{other.port}/witness"
        (self.role.folder / "witnesses.txt").write_text(
            f"witness classic {other.key('witness.vkey')} {url}\n"
            f"witness quantum-safe {other.key('witness-mldsa44.vkey')} {url}\n"
            "group both all classic quantum-safe\nquorum both\n",
            "utf-8",
        )
        (self.role.folder / "others.txt").write_text(f"log {other.key('log.vkey')}\nquorum none\n", "utf-8")
        settings = 'witness_policy = "witnesses.txt"\nwitness_for = "others.txt"\nwitness_interval = 1\n'
        self.role.begin(settings)
        self.role.start_log()

    def recorder(self) -> Recorder:
        made = self.role.context.recorder("sso")
        assert isinstance(made, RecorderClient)
        self._recorders.append(made)
        return made

    def status(self) -> WitnessStatus:
        raw = (self.role.folder / "audit" / "log" / "private" / "witnesses.json").read_bytes()
        status = WitnessStatus.decode(raw)
        assert status is not None
        return status

    def get(self, path: str) -> str:
        answer = self.role.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def size(self) -> int:
        return int(self.get("/checkpoint").split("\n")[1])

    def remove(self) -> None:
        self.hang_up()
        for recorder in self._recorders:
            recorder.close()
        self.role.remove()


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    north, south = Site("north"), Site("south")
    try:
        north.trusts(south)
        south.trusts(north)
        yield north, south
    finally:
        north.remove()
        south.remove()


def _keys(site: Site) -> dict[bytes, tuple[str, bytes]]:
    """Name and raw key by key ID, read from the published texts by the specification alone."""
    found = {}
    for file in ("witness.vkey", "witness-mldsa44.vkey"):
        name, identifier, encoded = site.key(file).split("+", 2)
        content = base64.b64decode(encoded)
        assert hashlib.sha256(name.encode() + b"\n" + content).digest()[:4].hex() == identifier
        found[bytes.fromhex(identifier)] = (name, content)
    return found


def _verify_as_outsiders_do(note: str, witness: Site) -> int:
    """C2SP signed-note and tlog-cosignature with nothing of ours; how many cosignatures of this witness hold."""
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    keys, good = _keys(witness), 0
    for line in lines.splitlines():
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded)
        if dash != "\u2014" or raw[:4] not in keys or keys[raw[:4]][0] != name:
            continue
        content = keys[raw[:4]][1]
        (at,) = struct.unpack(">Q", raw[4:12])
        if content[0] == 4:
            message = f"cosignature/v1\ntime {at}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(content[1:]).verify(raw[12:], message)
        else:
            message = b"subtree/v1\n\0" + bytes([len(name)]) + name.encode() + raw[4:12]
            message += bytes([len(origin)]) + origin.encode() + struct.pack(">QQ", 0, int(size))
            MLDSA44PublicKey.from_public_bytes(content[1:]).verify(raw[12:], message + base64.b64decode(root))
        good += 1
    return good


def test_two_sites_witness_each_other_and_say_plainly_when_they_cannot(
    sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    north, south = sites
    # 1. Evidence carries the other's cosignatures, both ways, and outsiders can check them.
    receipts = {}
    for site, witness in ((north, south), (south, north)):
        receipt = receipts[site.name] = site.recorder().record(event(), wait=Wait.WITNESSED)
        assert receipt.level is Wait.WITNESSED
        assert _verify_as_outsiders_do(receipt.checkpoint, witness) == 2
        assert receipt.checkpoint.split("\n")[0] == f"{site.name}.localhost/log"
        digest = hashlib.sha256(f"{site.name}.localhost/log".encode()).hexdigest()
        assert _verify_as_outsiders_do(witness.get(f"/witness/{digest}/checkpoint"), witness) == 2
        assert _verify_as_outsiders_do(site.get("/witnessed"), witness) == 2
        # The proof that an officer downloads leads to what is cosigned.
        index = receipts[site.name].index
        proof = site.role.get(f"/entries/{index}/entry.tlog-proof").text
        assert _verify_as_outsiders_do(proof.partition("\n\n")[2], witness) == 2

    # 2. Witnessing writes no entries, so the two do not keep each other busy for ever.
    # What was read above is recorded; a receipt that came later says that all of it is published and cosigned.
    north.recorder().record(event(), wait=Wait.WITNESSED)
    wait_for(lambda: north.status().met and north.status().witnessed == north.size())
    size, rounds = north.size(), {north.status().at}

    def went_round() -> bool:
        rounds.add(north.status().at)
        return len(rounds) > 3

    wait_for(went_round)
    assert north.size() == size

    # 3. The pages tell.
    page = north.role.get("/witnesses").text
    assert "Enough witnesses have cosigned the first" in page
    assert "south.localhost/log" in page
    assert north.key("witness.vkey") in page.replace("&#43;", "+")
    assert "Too few witnesses cosign this record." not in north.role.get("/").text
    assert "witness_quorum 1" in north.get("/readyz")

    # 4. Without the other the record goes on, and evidence is refused.
    south.hang_up()
    recorder = north.recorder()
    with monkeypatch.context() as hurry:
        # Nobody here is as slow as a site far away.
        hurry.setattr("audit.client.recorder._WITNESSES", 3.0)
        with pytest.raises(RecordUnavailable):
            recorder.record(event(), wait=Wait.WITNESSED)
    assert recorder.record(event(), wait=Wait.PUBLISHED).level is Wait.PUBLISHED
    wait_for(lambda: not north.status().met)
    assert {each.state for each in north.status().witnesses} == {State.SILENT}
    assert "Too few witnesses cosign this record." in north.role.get("/").text
    assert "does not answer" in north.role.get("/witnesses").text
    assert "witness_quorum 0" in north.get("/readyz")
    # What was witnessed before still is.
    assert _verify_as_outsiders_do(north.get("/witnessed"), south) == 2

    # 5. And when it is back, all is well again, also for a log that was started anew.
    south.listen()
    north.role.stop_log()
    north.role.start_log()
    receipt = north.recorder().record(event(), wait=Wait.WITNESSED)
    assert _verify_as_outsiders_do(receipt.checkpoint, south) == 2
    wait_for(lambda: north.status().met)
    assert "Too few witnesses cosign this record." not in north.role.get("/").text
