# SPDX-License-Identifier: Apache-2.0
"""What the gateway, the policies and the signature service say."""

from core.errors import N_

from .kinds import Kind, Retention, Verb, words

KINDS = {
    "policy.released": Kind(
        3004,
        3,
        Retention.TRUST,
        N_("Policies released"),
        Verb.GRANT,
        sources=words("app"),
        attributes=words("content files sequence"),
        needs=words("actor object"),
        entity="policies",
    ),
    "gateway.decision": Kind(
        4002,
        99,
        Retention.ACCESS,
        N_("Access decided"),
        Verb.ACCESS,
        sources=words("ca gateway"),
        attributes=words(
            "amr assurance certificate class classification clearance client credential device_state enabled kind"
            " mandate method network policies proofing public purpose reason record_class request required roles"
            " side_door to_zone"
        ),
        sealed=words("address name name_zh object_name path username"),
        needs=words("decision"),
    ),
    "gateway.session.opened": Kind(
        3003,
        1,
        Retention.ACCESS,
        N_("Gateway session opened"),
        Verb.GRANT,
        sources=words("gateway"),
        attributes=words("acr amr host"),
        sealed=words("address name name_zh object_name"),
        needs=words("subject object"),
        privilege="host",
    ),
    "gateway.session.ended": Kind(
        3002,
        2,
        Retention.ACCESS,
        N_("Gateway session ended"),
        Verb.TAKES,
        sources=words("gateway"),
        attributes=words("host"),
        needs=words("subject"),
    ),
    "signature.intended": Kind(
        6003,
        1,
        Retention.TRUST,
        N_("Document about to be signed"),
        Verb.INTENT,
        sources=words("signatures"),
        attributes=words("assurance caller certificate policies reference"),
        sealed=words("name object_name"),
        needs=words("object"),
    ),
    "signature.made": Kind(
        6003,
        1,
        Retention.TRUST,
        N_("Document signed"),
        Verb.OUTCOME,
        sources=words("signatures"),
        attributes=words("assurance caller certificate policies reason reference"),
        sealed=words("name object_name"),
        needs=words("object"),
    ),
    "signature.refused": Kind(
        6003,
        1,
        Retention.TRUST,
        N_("Signature refused"),
        Verb.OUTCOME,
        sources=words("signatures"),
        attributes=words("caller code policies reference"),
        needs=words("object"),
    ),
    "signature.verified": Kind(
        6003,
        2,
        Retention.ACCESS,
        N_("Signed document verified"),
        Verb.ACCESS,
        sources=words("signatures"),
        attributes=words("caller indication network profile signatures subindication verdict"),
        needs=words("object"),
    ),
}
