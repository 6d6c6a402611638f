# SPDX-License-Identifier: Apache-2.0
"""What scopes and clients are called on pages."""

from collections.abc import Iterable

from core.web import _, locale

from ..models import Client
from ..oauth.rfc6749 import SCOPES


def title_of(client: Client | str | None) -> str:
    """A client's name in the reader's language; a host stands for itself, ``None`` is our own account page."""
    if client is None:
        return _("My account")
    if isinstance(client, str):
        return client
    return client.name_zh if locale() == "zh" else client.name


def wishes(scopes: Iterable[str]) -> list[str]:
    """What scopes open, in plain words and a fixed order."""
    says = {
        "openid": _("that it is you, by an identifier without a name"),
        "profile": _("your name and user name"),
        "email": _("your e-mail address"),
        "organisation": _("the organisation you work for"),
        "roles": _("your roles in the administration"),
    }
    wanted = set(scopes)
    return [says[scope] for scope in SCOPES if scope in wanted]
