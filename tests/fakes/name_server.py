# SPDX-License-Identifier: Apache-2.0
"""A small real DNS server on the loopback: answers from a table that tests write, over UDP."""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[list[str]]]


class NameServer:
    """Records by (name, type); each entry is a list of answers, given one after the other and the last for ever."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.zone: Zone = {}
        self.asked: Counter[tuple[str, str]] = Counter()

    def put(self, name: str, kind: str, *answers: list[str]) -> None:
        """What is said about a name."""
        self.zone[name.lower().rstrip("."), kind] = list(answers)

    def answer(self, wire: bytes) -> bytes:
        """The answer to one question."""
        question = dns.message.from_wire(wire)
        asked = question.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        answer = dns.message.make_response(question, recursion_available=True)
        entries = self.zone.get((name, kind))
        if entries:
            said = entries[min(self.asked[name, kind], len(entries) - 1)]
            if said:
                answer.answer.append(dns.rrset.from_text(asked.name, 1, "IN", kind, *said))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.asked[name, kind] += 1
        return answer.to_wire()


@contextmanager
def name_server() -> Iterator[NameServer]:
    """One that is running."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, out = self.request
            out.sendto(running.answer(wire), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        running = NameServer(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
