# SPDX-License-Identifier: Apache-2.0
"""Calls between roles: HTTP over a Unix socket, both ends knowing one secret of their own.

The callee compares the secret in constant time (`core.calls.secrets`); the caller turns a problem document back into
the error it was (`core.calls.peer`). Nothing here retries a verb that could have acted. What is asked of addresses of
others goes by `core.calls.outside`.
"""

from .listener import listening as listening
from .outside import Outside as Outside
from .outside import Reply as Reply
from .peer import Answer as Answer
from .peer import Peer as Peer
from .secrets import CALLER_HEADER as CALLER_HEADER
from .secrets import SECRET_HEADER as SECRET_HEADER
from .secrets import PairSecrets as PairSecrets
from .webhooks import HookFailed as HookFailed
from .webhooks import HookForbidden as HookForbidden
from .webhooks import HookUntrusted as HookUntrusted
from .webhooks import Webhook as Webhook
from .webhooks import by_key as by_key
from .webhooks import by_secret as by_secret
from .webhooks import is_public as is_public
from .webhooks import retry_after as retry_after
