# SPDX-License-Identifier: Apache-2.0
"""Composes alerting: rules, tables, the duty that looks at what is new, and the officers' desk."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from audit.alerts import AlertDesk, AlertStore, Engine, Flattener, Places, PlacesRefused, RuleSet, load
from audit.config import AuditSettings
from audit.models import Recorder
from audit.published import Reading
from audit.watch import Duty
from core.config import ConfigurationError

from ..context import Context

_FILE = "alerts.db"


def duties(context: Context, opened: Reading) -> list[Duty]:
    """In the watch process: what is published is looked at within a second."""
    engine = Engine(
        log=opened.log,
        store=store(context.site.folder("audit")),
        rules=rules(context),
        flattener=flattener(context),
        clock=context.clock,
        recorder=context.recorder("audit"),
    )

    def look(stopped: object) -> None:
        engine.advance(lambda: bool(stopped))

    return [Duty(name="alerts", every=timedelta(milliseconds=500), act=look)]


def desk(context: Context, recorder: Recorder, opened: Reading) -> AlertDesk:
    """In the console's process."""
    return AlertDesk(
        store=store(context.site.folder("audit")),
        recorder=recorder,
        clock=context.clock,
        cosigned=opened.log.prove_witnessed,
    )


def rules(context: Context) -> RuleSet:
    """The shipped rules and the site's, converted; what cannot be is refused by name, and the others go on."""
    settings = context.settings("audit", AuditSettings)
    return load(settings.alert_rules, off=frozenset(settings.alert_rules_off))


def flattener(context: Context) -> Flattener:
    """What makes rows of entries.

    Raises:
        ConfigurationError: the table of places cannot be used.
    """
    settings = context.settings("audit", AuditSettings)
    try:
        places = Places.parse(settings.alert_places.read_bytes() if settings.alert_places else b"")
    except OSError as error:
        raise ConfigurationError(where="audit.alert_places", why=error.strerror or "unreadable") from error
    except PlacesRefused as error:
        raise ConfigurationError(where="audit.alert_places", why=str(error.parameters["why"])) from error
    return Flattener(places=places, zone=ZoneInfo(settings.time_zone))


def store(folder: Path) -> AlertStore:
    """The tables of alerting, in a file of their own."""
    return AlertStore.open(folder / _FILE)
