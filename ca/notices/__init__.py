# SPDX-License-Identifier: Apache-2.0
"""Tells holders and operators that a certificate ends soon, by mail and by webhook, once for each step.

Owns the table ``notices``. What is to be told is decided and kept in one transaction, so that no death of a process
loses or doubles it. Handing it over happens at least once: whoever dies between a mail server's answer and the note of
it hands over again, under the same Message-ID (RFC 5322 section 3.6.4) or webhook identifier, by which a receiver can
tell. What never happens here: nothing is sent to an address that the site has not allowed, and nobody is told about a
certificate that was renewed or revoked.
"""

from .letters import letter as letter
from .letters import tidings as tidings
from .mail import Mailer as Mailer
from .mail import MailFailed as MailFailed
from .models import Channel as Channel
from .models import Due as Due
from .models import NoticeState as NoticeState
from .opening import open_mailer as open_mailer
from .opening import open_webhook as open_webhook
from .posting import NoticeKeeper as NoticeKeeper
from .service import Notices as Notices
from .service import Recipients as Recipients
from .service import Words as Words
from .store import Board as Board
