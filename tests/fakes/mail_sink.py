# SPDX-License-Identifier: Apache-2.0
"""A mail server that keeps what it is sent: aiosmtpd, with STARTTLS and login as a site's own server has."""

import asyncio
import contextlib
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class Sink:
    """Letters as they came; ``answers`` are said instead of taking the next ones."""

    letters: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        self.letters.append((envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content))
        return "250 taken"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right password")

    def messages(self) -> list[EmailMessage]:
        """What came, taken apart."""
        found: list[EmailMessage] = [message_from_bytes(raw, policy=default) for _, _, raw in self.letters]
        return list(found)


class MailServer:
    """The server around a sink; begins at once."""

    def __init__(self, sink: Sink, tls: ssl.SSLContext | None, *, login: bool = False) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

        def made() -> SMTP:
            return SMTP(
                sink,
                hostname="sink.localhost",
                tls_context=tls,
                require_starttls=tls is not None,
                authenticator=sink.authenticate if login else None,
                auth_required=login,
                loop=self._loop,
            )

        listening = self._loop.create_server(made, host="127.0.0.1", port=0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Serve nobody any more."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        # Whoever hung up is told so before the loop ends.
        for each in [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await each
