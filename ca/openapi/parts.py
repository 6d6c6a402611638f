# SPDX-License-Identifier: Apache-2.0
"""What both parts of the description are made of."""

from typing import Any

LONGEST = 200
SERIAL = "^0*[1-9A-Fa-f][0-9A-Fa-f]{0,39}$"
MOMENT = {"type": "string", "format": "date-time"}
BASE64 = {"type": "string", "contentEncoding": "base64"}


def by_serial() -> dict[str, Any]:
    """The parameter that names a certificate."""
    says = "Serial number in hexadecimal"
    schema = {"type": "string", "pattern": SERIAL}
    return {"name": "serial", "in": "path", "required": True, "description": says, "schema": schema}


def octets(says: str, kind: str) -> dict[str, Any]:
    """An answer that is a file."""
    return {"description": says, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}


def json_(schema: dict[str, Any]) -> dict[str, Any]:
    """A body."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def as_(schema: str) -> dict[str, Any]:
    """The content of an answer."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
