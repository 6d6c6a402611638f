# SPDX-License-Identifier: Apache-2.0
"""What scopes and clients are called on pages."""

from collections.abc import Iterable
from datetime import UTC, datetime

from core.web import _, locale

from ..models import Client, HeldMandate
from ..oauth.rfc6749 import SCOPES


def title_of(client: Client | str | None) -> str:
    """A client's name in the reader's language; a host stands for itself, ``None`` is our own account page."""
    if client is None:
        return _("My account")
    if isinstance(client, str):
        return client
    return client.name_zh if locale() == "zh" else client.name


def wishes(scopes: Iterable[str]) -> dict[str, str]:
    """What scopes open, in plain words and a fixed order."""
    says = {
        "openid": _("that it is you, by an identifier without a name"),
        "profile": _("your name and user name"),
        "email": _("your e-mail address"),
        "organisation": _("the organisation you work for"),
        "roles": _("your roles in the administration"),
        "mandate": _("for whom you act"),
        "scim": _("nothing of you: it is for programs in their own name"),
        "documents": _("nothing of you: it is for programs in their own name"),
    }
    wanted = set(scopes)
    return {scope: says[scope] for scope in SCOPES if scope in wanted}


def name_of(mandate: HeldMandate) -> str:
    """For whom, in the reader's language."""
    return mandate.name_zh if locale() == "zh" and mandate.name_zh else mandate.name


def service_text(service: str) -> str:
    """What a mandate is for."""
    says = {
        "all": _("all services"),
        "tax": _("taxes"),
        "social": _("social insurance"),
        "seal": _("putting the organisation's seal on documents"),
    }
    return says.get(service, service)


def suspicion_text(kind: str) -> str:
    """Why a login is asked about."""
    says = {
        "browser": _("with a browser and from a network not used before"),
        "failures": _("after many wrong passwords"),
        "travel": _("too far from where you were shortly before"),
    }
    return says.get(kind, kind)


def purpose_text(purpose: str) -> str:
    """What a record was opened for; what is no word of ours stays as the portal said it."""
    says = {
        "assessment": _("assessing a tax"),
        "benefit": _("deciding about a benefit"),
        "case": _("working on a case"),
        "application": _("working on an application"),
        "complaint": _("working on a complaint"),
        "correction": _("correcting an entry"),
        "inspection": _("an inspection"),
        "support": _("helping you"),
        "self-service": _("showing it to you"),
        "representation": _("showing it to somebody who acts for you"),
    }
    return says.get(purpose, purpose)


def methods_text(methods: Iterable[str]) -> str:
    """How a login was made."""
    used = set(methods)
    if "sc" in used:
        return _("card")
    if "upstream" in used:
        return _("another provider")
    if "user" in used:
        return _("password and passkey") if "pwd" in used else _("passkey")
    return _("password and one-time code") if "otp" in used else _("password")


def moment(seconds: int) -> str:
    """A time as pages show it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
