# SPDX-License-Identifier: Apache-2.0
"""What officers read at the desk is on the record before they see it; a page that cannot be recorded is not shown."""

from collections.abc import Callable, Iterable

from flask import Blueprint, Response, current_app, request

from core.errors import TallygateError

from ..inventory import Inventory, Reader
from ..models import read_serial
from .visitors import Officer

_FORMS = frozenset({"form", "new_incident"})
"""Views of empty forms, on which there is nothing to read."""
_SHOWN = 200


def recorded(blueprints: Iterable[Blueprint], inventory: Inventory, who: Callable[[], Officer]) -> list[Blueprint]:
    """The same blueprints, whose pages and files are recorded when they were made and are about to be sent.

    A certificate's is recorded about its holder, who sees it among what is known of them; every other by its view.
    """

    def record(response: Response) -> Response:
        view = str(request.endpoint)
        if request.method != "GET" or response.status_code != _SHOWN or view.rpartition(".")[2] in _FORMS:
            return response
        try:
            officer = who()
            reader = Reader(subject=officer.subject, zone=officer.zone)
            serial = (request.view_args or {}).get("serial", "")
            if serial:
                inventory.one(read_serial(serial), reader)
            else:
                inventory.looked(view, reader)
        except TallygateError as error:
            return current_app.make_response(current_app.handle_user_exception(error))
        return response

    found = list(blueprints)
    for each in found:
        each.after_request(record)
    return found
