# SPDX-License-Identifier: Apache-2.0
"""Models that travel or lie as one text: JSON that only we write, behind every check."""

import json
from dataclasses import asdict
from typing import Any

from ..models import Authentication, AuthorizationRequest, Interaction

_SETS = frozenset({"scopes", "prompts", "resources"})


def interaction_text(interaction: Interaction) -> str:
    """A parked request."""
    return json.dumps(asdict(interaction), default=sorted, ensure_ascii=False, separators=(",", ":"))


def interaction_of(text: str) -> Interaction:
    """And back."""
    values: dict[str, Any] = json.loads(text)
    request = values.pop("request")
    return Interaction(**values, request=_request(request) if request is not None else None)


def authentication_text(authentication: Authentication) -> str:
    """A card login on its way back."""
    return json.dumps(asdict(authentication))


def authentication_of(text: str) -> Authentication:
    """And back."""
    values = json.loads(text)
    return Authentication(**{**values, "methods": tuple(values["methods"])})


def _request(values: dict[str, Any]) -> AuthorizationRequest:
    return AuthorizationRequest(**{**values, **{name: frozenset(values[name]) for name in _SETS}})
