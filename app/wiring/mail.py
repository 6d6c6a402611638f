# SPDX-License-Identifier: Apache-2.0
"""The mail server of ``[ca.notices]`` for every role that writes letters to people.

Its workshop is loaded where there is a server: it takes forty mebibytes, and many sites write no mail.
"""

from collections.abc import Callable
from dataclasses import replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from ca import CASettings
from core.config import ConfigurationError
from core.errors import Unavailable
from core.log import logger

from ..context import Context

_log = logger(__name__)


def post(context: Context, password: Path | None) -> Callable[[str, str, str, str], bool] | None:
    """Write to the domains named there and to nobody else; ``password`` is the role's own copy of the secret, if any.

    None if there is no mail server.
    """
    notices = context.settings("ca", CASettings).notices
    if not notices.server:
        return None
    from ca.notices import MailFailed, open_mailer  # noqa: PLC0415 - see the module's docstring
    from ca.notices.letters import allowed  # noqa: PLC0415 - as above

    if password is not None:
        notices = replace(notices, password=password)
    try:
        mailer = open_mailer(notices, own_name=context.site.domain)
    except ConfigurationError as error:
        # What a role is there for must not wait for a mail server; its pages tell the same.
        _log.warning("no_mail", code=error.code)
        return None
    if mailer is None:
        return None

    def hand_over(address: str, subject: str, text: str, number: str) -> bool:
        if not allowed(address, notices.domains):
            return False
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(context.site.title[:64], addr_spec=notices.sender)
        message["To"] = [Address(addr_spec=address.strip())]
        message["Subject"] = subject
        message["Date"] = format_datetime(context.clock.now())
        message["Message-ID"] = f"<{number}@{context.site.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text, charset="utf-8", cte="base64")
        try:
            mailer.send(message, sender=notices.sender, to=[address.strip()])
        except MailFailed as error:
            if error.final:
                return False
            raise Unavailable from error
        return True

    return hand_over
