# SPDX-License-Identifier: Apache-2.0
"""How a target stands, in words that officers use; every text is a catalogue key."""

from core.errors import N_

from ..config import ExportKind
from .exporter import Standing

KINDS = {
    ExportKind.SYSLOG: N_("Syslog over TLS"),
    ExportKind.CEF: N_("CEF"),
    ExportKind.OCSF: N_("OCSF lines"),
    ExportKind.WEBHOOK: N_("Webhook"),
}
_WHY = {
    "export_peer_untrusted": N_("It could not show that it is the one that is meant."),
    "export_peer_forbidden": N_("It lies at an address that is not public."),
    "export_peer_silent": N_("It does not take entries."),
}


def standing_words(standing: Standing) -> tuple[str, str, str]:
    """Class of the notice, one word, and a sentence."""
    if standing.cursor.paused:
        return "warn", N_("paused"), N_("An officer paused it.")
    if standing.cursor.code:
        return "bad", N_("fails"), _WHY.get(standing.cursor.code, N_("It does not take entries."))
    if standing.behind:
        return "good", N_("sends"), N_("It is being sent what is new.")
    return "good", N_("level"), N_("It has everything.")
