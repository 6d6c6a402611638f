# SPDX-License-Identifier: Apache-2.0
"""Accounts (RFC 8555 section 7.3)."""

from flask import Blueprint, Response, jsonify, request

from core.web import Guard
from core.web.inputs import Malformed, query_text

from ...acme import Acme
from ...acme.jws import Request
from ...acme.models import Account
from ...acme.problems import Problem, Type
from .documents import account_document, body, expect_nothing, url
from .dress import dress


def accounts(service: Acme, guard: Guard) -> Blueprint:
    """The endpoints of account holders."""
    blueprint = Blueprint("ca_acme_accounts", __name__, url_prefix="/acme")
    dress(blueprint, service)

    @blueprint.post("/new-account")
    @guard.own("the account key that signs the request, and an officer's grant that binds it", errors="problem")
    def new_account() -> Response:
        key, asked = service.gate.with_key(body(), url=request.url)
        made = service.accounts.create(key, asked.document(), url=request.url, address=request.remote_addr or "")
        response = jsonify(account_document(made.account))
        response.status_code = 201 if made.new else 200
        response.headers["Location"] = url(f"/account/{made.account.id}")
        return response

    @blueprint.post("/account/<account>")
    @guard.own("the account key that signs the request", errors="problem")
    def of_account(account: str) -> Response:
        found, asked = _mine(account)
        if asked.payload:
            found = service.accounts.update(found, asked.document())
        return jsonify(account_document(found))

    @blueprint.post("/account/<account>/orders")
    @guard.own("the account key that signs the request", errors="problem")
    def orders_of(account: str) -> Response:
        found, asked = _mine(account)
        expect_nothing(asked)
        cursor = query_text("cursor", longest=18)
        if cursor and not (cursor.isascii() and cursor.isdecimal()):
            raise Malformed(field="cursor")
        names, more = service.orders.orders(found, before=int(cursor or 0))
        response = jsonify({"orders": [url(f"/order/{each}") for each in names]})
        if more:
            response.headers.add("Link", f'<{url(f"/account/{found.id}/orders?cursor={more}")}>;rel="next"')
        return response

    @blueprint.post("/key-change")
    @guard.own("the account's old key and its new one, which both sign the request", errors="problem")
    def key_change() -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        service.accounts.change_key(found, asked)
        return jsonify(account_document(found))

    def _mine(account: str) -> tuple[Account, Request]:
        found, asked = service.gate.with_account(body(), url=request.url)
        if found.id != account:
            raise Problem(Type.UNAUTHORIZED, "this is another account")
        return found, asked

    return blueprint
