# SPDX-License-Identifier: Apache-2.0
"""The way to one mail server: SMTP of the standard library, over TLS, bounded in time; nothing it says is repeated."""

import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage

from ..config import MailSecurity

_PERMANENT = 500


class MailFailed(Exception):
    """The server did not take a letter; ``final`` if it never will."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.final = final


class Mailer:
    """Hands letters over, each on a connection of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: MailSecurity,
        context: ssl.SSLContext,
        own_name: str,
        login: tuple[str, str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        """``own_name`` is how we introduce ourselves; ``login`` is user and password."""
        self._host = host
        self._port = port
        self._security = security
        self._context = context
        self._own_name = own_name
        self._login = login
        self._timeout = timeout

    def send(self, message: EmailMessage, *, sender: str, to: Sequence[str]) -> None:
        """Hand over one letter; the server has it when this returns.

        Raises:
            MailFailed: it has not, or not for everybody.
        """
        try:
            with self._connect() as server:
                if self._login is not None:
                    server.login(*self._login)
                refused = server.send_message(message, from_addr=sender, to_addrs=list(to))
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise MailFailed("the recipient is refused", final=min(codes, default=0) >= _PERMANENT) from None
        except smtplib.SMTPAuthenticationError:
            # Neither the cause nor its text: both may hold what was sent.
            raise MailFailed("the login is refused") from None
        except smtplib.SMTPResponseException as error:
            raise MailFailed(f"the server answers {error.smtp_code}", final=error.smtp_code >= _PERMANENT) from None
        except smtplib.SMTPNotSupportedError:
            raise MailFailed("the server offers no TLS or no login") from None
        except ssl.SSLCertVerificationError as error:
            raise MailFailed(f"its certificate: {error.verify_message}"[:64]) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise MailFailed(type(error).__name__) from None
        if refused:
            raise MailFailed("not every recipient is taken", final=True)

    def _connect(self) -> smtplib.SMTP:
        if self._security is MailSecurity.TLS:
            return smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=self._own_name, timeout=self._timeout, context=self._context
            )
        server = smtplib.SMTP(self._host, self._port, local_hostname=self._own_name, timeout=self._timeout)
        if self._security is MailSecurity.STARTTLS:
            try:
                server.starttls(context=self._context)
            except BaseException:
                server.close()
                raise
        return server
