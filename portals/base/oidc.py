# SPDX-License-Identifier: Apache-2.0
"""A portal as OpenID Connect client: code flow with PKCE S256 through Authlib, trusting only the site's roots.

Tokens are used once, to learn the name, and dropped. What stays is a few claims in the portal's signed cookie, bound
to the sign-on session that the gateway names in every request.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, Response, request, session
from joserfc.errors import JoseError

from core.errors import Unavailable
from core.identity import Identity
from core.web import locale

from ..errors import ActingNotTold, ConsentRefused, LoginFailed, OtherPerson

_TIMEOUT = 10
_VISITOR = "visitor"
_ASKED = "asked"
_PENDING = "_state_"


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Whom the portal greets."""

    subject: str
    session: str
    name: str
    name_zh: str
    # On whose behalf, as ``kind:identifier:service``, and how they are called; empty for whoever acts for themselves.
    acting: str = ""
    principal: str = ""
    principal_zh: str = ""

    @property
    def shown(self) -> str:
        """The name in the language of the page."""
        return self.name_zh if locale() == "zh" and self.name_zh else self.name

    @property
    def principal_shown(self) -> str:
        """Whom the visitor acts for, in the language of the page."""
        return self.principal_zh if locale() == "zh" and self.principal_zh else self.principal


class _Session(OAuth2Session):  # type: ignore[misc]  # Authlib ships no types
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        # Otherwise REQUESTS_CA_BUNDLE or a proxy of the environment would replace the trust given here.
        self.trust_env = False


class _Client(FlaskOAuth2App):  # type: ignore[misc]  # Authlib ships no types
    client_cls = _Session


class _OAuth(OAuth):  # type: ignore[misc]  # Authlib ships no types
    oauth2_client_cls = _Client


class SignOn:
    """The portal's side of the login."""

    def __init__(
        self, *, issuer: str, client: str, secret: str, redirect_uri: str, roots: Path, mandates: bool = False
    ) -> None:
        """``mandates``: whoever comes may act for somebody else here."""
        self.mandates = mandates
        self._redirect_uri = redirect_uri
        self._oauth = _OAuth()
        self._issuer = issuer
        self._client = client
        self._secret = secret
        self._roots = roots

    def install(self, app: Flask) -> None:
        """Register with the application; metadata is fetched at the first login."""
        self._oauth.init_app(app)
        self._oauth.register(
            self._client,
            client_id=self._client,
            client_secret=self._secret,
            server_metadata_url=f"{self._issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile mandate" if self.mandates else "openid profile",
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic",
                "verify": str(self._roots),
                "default_timeout": _TIMEOUT,
            },
        )

    def visitor(self, identity: Identity) -> Visitor | None:
        """Who logged in here in the very session the gateway names; anybody else's is forgotten.

        Raises:
            OtherPerson: the login just made is of another session, and asking again would never end.
            ActingNotTold: it does not say for whom the visitor acts, as the gateway does.
        """
        found = self.known(identity)
        if found is not None:
            session.pop(_ASKED, None)
            return found
        kept = session.get(_VISITOR)
        forget()
        if isinstance(kept, dict) and session.pop(_ASKED, None) == _visit(identity):
            same = (kept.get("subject"), kept.get("session")) == (identity.subject, identity.session)
            raise ActingNotTold if same else OtherPerson
        return None

    def known(self, identity: Identity) -> Visitor | None:
        """As ``visitor``, but only looks."""
        kept = session.get(_VISITOR)
        # A cookie of an earlier release may lack a field: that is nobody, not an error.
        if not isinstance(kept, dict) or kept.keys() != {field.name for field in fields(Visitor)}:
            return None
        found = Visitor(**kept)
        same = (identity.subject, identity.session, identity.on_behalf_of if self.mandates else "")
        return found if (found.subject, found.session, found.acting) == same else None

    def begin(self, identity: Identity) -> Response:
        """Send the browser to the sign-on.

        Raises:
            Unavailable: the sign-on does not answer.
        """
        # Logins begun and left would fill the cookie.
        for name in [name for name in session if name.startswith(_PENDING)]:
            session.pop(name)
        session[_ASKED] = _visit(identity)
        # The gateway asked for whom they act; whoever is asked again could say something else.
        acting = {"acting": identity.on_behalf_of or "self"} if self.mandates else {}
        try:
            answer: Response = self._app.authorize_redirect(self._redirect_uri, **acting)
        except (OSError, AuthlibBaseError, ValueError, RuntimeError) as error:
            raise Unavailable from error
        return answer

    def finish(self) -> None:
        """Redeem the code that came back and remember who it is.

        Raises:
            ConsentRefused: the person did not agree.
            LoginFailed: forged, stale, or begun in another browser.
            Unavailable: the sign-on does not answer.
        """
        if request.args.get("error") == "access_denied":
            raise ConsentRefused
        try:
            token = self._app.authorize_access_token()
            claims: Mapping[str, Any] = token["userinfo"]
            about = self._app.userinfo(token=token)
        except OSError as error:
            # Every failure of the connection, of TLS and of reading the root is one of these.
            raise Unavailable from error
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise LoginFailed from error
        # OpenID Connect Core 5.3.4: what userinfo says counts only if it is about the same person.
        if about.get("sub") != claims.get("sub") or not claims.get("sid"):
            raise LoginFailed
        acting, of = _acting(claims), about.get("on_behalf_of") or {}
        if acting != _acting(about):
            raise LoginFailed
        session[_VISITOR] = asdict(
            Visitor(
                subject=str(claims["sub"]),
                session=str(claims["sid"]),
                name=str(about.get("name", "")),
                name_zh=str(about.get("name_zh", "")),
                acting=acting,
                principal=str(of.get("name", "")),
                principal_zh=str(of.get("name_zh", "")),
            )
        )

    @property
    def _app(self) -> Any:
        return self._oauth.create_client(self._client)


def _visit(identity: Identity) -> str:
    """Who asks to be logged in, and for whom: after one login the same visit leads to no other."""
    return f"{identity.session} {identity.on_behalf_of}".rstrip()


def _acting(claims: Mapping[str, Any]) -> str:
    """On whose behalf a token or an answer was given.

    Raises:
        LoginFailed: it says something unreadable there, which is not the same as nothing.
    """
    said = claims.get("on_behalf_of")
    if said is None:
        return ""
    try:
        return f"{said['kind']}:{said['id']}:{said['service']}"
    except (KeyError, TypeError) as error:
        raise LoginFailed from error


def forget() -> None:
    """Drop the portal's own session."""
    session.pop(_VISITOR, None)
