# SPDX-License-Identifier: Apache-2.0
"""What somebody is called, where they are written to, whether programs see them: what gives no power."""

import re
from collections.abc import Mapping

from ..errors import BadName
from ..ldap import changes
from ..ldap.changes import Change, Verb
from ..models_powers import LONGEST_TEXT
from .deeds import Deed, Deeds

_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{4,28}[0-9]\Z", re.ASCII)
_LANGUAGES = ("", "en", "zh")
_MAIL = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")


class Profiles:
    """Changing, and what stands there beside a person's model."""

    def __init__(self, deeds: Deeds) -> None:
        self._deeds = deeds
        self._standings = deeds.standings

    def contact(self, subject: str) -> dict[str, str]:
        """Where somebody is called and in which language, as the tree has it.

        Raises:
            NoSuchPerson: nobody of that name.
        """
        return self._standings.contact(subject)

    def change(
        self,
        subject: str,
        *,
        name: str | None = None,
        name_zh: str | None = None,
        mail: str | None = None,
        telephone: str | None = None,
        language: str | None = None,
        actor: str,
    ) -> bool:
        """Change what is given; whether that changed anything. Before and after stand in the record, sealed.

        Raises:
            NoSuchPerson: nobody of that name.
            BadName: a name that cannot stand, no mail address, no telephone number or no language of ours.
        """
        with self._deeds.alone():
            person = self._standings.directory.person(subject)
            held = {"cn": person.name, "tallyNameZh": person.name_zh, "mail": person.mail}
            wanted = {"cn": name, "tallyNameZh": name_zh, "mail": mail}
            if telephone is not None or language is not None:
                held |= self._standings.contact(person.subject)
                wanted |= {"telephoneNumber": telephone, "preferredLanguage": language}
            changed = {
                key: told
                for key, each in wanted.items()
                if each is not None and (told := _checked(key, each)) != held[key]
            }
            if not changed:
                return False
            self._deeds.give(
                self._series(person.subject, changed, held),
                Deed(
                    kind="directory.person.changed",
                    subject=person.subject,
                    attributes={"what": "profile"},
                    sealed={
                        **self._deeds.about(person, actor),
                        **{f"before.{key}": held[key] for key in changed},
                        **{f"after.{key}": each for key, each in changed.items()},
                    },
                ),
                actor=actor,
            )
        return True

    def release(self, subject: str, *, actor: str) -> None:
        """Note that programs let somebody go; does nothing for those who are in.

        Raises:
            NoSuchPerson: nobody of that name.
        """
        with self._deeds.alone():
            person = self._standings.directory.person(subject)
            if person.enabled or person.released:
                return
            self._deeds.give(
                [changes.released(self._deeds.tree.person(person.subject), to=True)],
                Deed(
                    kind="directory.person.changed",
                    subject=person.subject,
                    attributes={"what": "released"},
                    sealed=self._deeds.about(person, actor),
                ),
                actor=actor,
            )

    def _series(self, subject: str, changed: Mapping[str, str], held: Mapping[str, str]) -> list[Change]:
        dn = self._deeds.tree.person(subject)
        series = [
            Change(verb=Verb.REPLACE, dn=dn, attribute=key, value=told, before=held[key])
            for key, told in changed.items()
        ]
        # inetOrgPerson wants a family name; which part of a name that is differs between languages.
        if "cn" in changed:
            series.append(Change(verb=Verb.REPLACE, dn=dn, attribute="sn", value=changed["cn"], before=held["cn"]))
        return series


def _checked(key: str, text: str) -> str:
    told = text.strip()
    if len(told) > LONGEST_TEXT or not told.isprintable() or (key == "cn" and not told):
        raise BadName
    if key == "mail" and told and not _MAIL.match(told):
        raise BadName
    if key == "telephoneNumber" and told and not _PHONE.match(told):
        raise BadName
    if key == "preferredLanguage" and told not in _LANGUAGES:
        raise BadName
    return told
