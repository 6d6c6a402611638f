# SPDX-License-Identifier: Apache-2.0
"""Programs to copy, filled in with a client's own values; ``scripts/samples`` runs every one against the provider."""

import re
from pathlib import Path

from ...models import Client

LANGUAGES = {"python": "Python (Authlib)", "node": "JavaScript (Node.js)", "go": "Go"}
METHODS = frozenset({"client_secret_basic", "private_key_jwt", "none"})
_FOLDER = Path(__file__).parents[2] / "templates" / "sso"
_TEXTS = {name: (_FOLDER / f"sample-{name}.txt").read_text("utf-8") for name in LANGUAGES}
# All of these stand between quotation marks of three languages.
_PLAIN = re.compile(r"[A-Za-z0-9:/._~\[\] -]+")


def samples(client: Client, *, issuer: str) -> dict[str, str]:
    """By language; none for a client whose login is another: no browser, a certificate, more required of requests."""
    values = {
        "ISSUER": issuer,
        "CLIENT": client.id,
        "CALLBACK": client.redirect_uris[0] if client.redirect_uris else "",
        "SCOPE": " ".join(sorted(client.scopes & {"openid", "profile", "email", "organisation"})),
        "METHOD": client.method,
    }
    fits = client.method in METHODS and not client.requires and "authorization_code" in client.grants
    encrypted = client.id_token_encrypted or client.userinfo_encrypted or client.userinfo_signed
    if not fits or encrypted or client.trusted or not all(_PLAIN.fullmatch(value) for value in values.values()):
        return {}
    return {name: _filled(text, values) for name, text in _TEXTS.items()}


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
