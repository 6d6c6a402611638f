# SPDX-License-Identifier: Apache-2.0
"""The long sentences of the report, as catalogue keys."""

from core.errors import N_

from ..models import Part

WHAT = N_(
    "A site of this kind keeps a record to which entries can only be added. The record is a tree of "
    "hashes: whoever changes, removes or inserts a single letter in any entry gets another root, and the "
    "root is signed again and again, shown to others and stamped with the time. This file holds some of "
    "the entries and everything that is needed to check them without asking the site."
)
LOG_PROVES = N_(
    "The log %(log)s has signed that it holds %(size)s entries, and each entry of this file is one of "
    "them, at the place it names. Signed by: %(keys)s."
)
ONE_LOG_PROVES = N_(
    "The log %(log)s has signed that it holds %(size)s entries, and each entry that is told here under its name is one "
    "of them, at the place it names. Signed by: %(keys)s."
)
SUCCEEDS = N_(
    "The log %(older)s ended and goes on as %(newer)s: the last entry of the one names the keys of the other, whose "
    "entry 0 names the size and the root at which the first one ended. Both entries are in this file."
)
OPENING_PROVES = N_(
    "Where a personal part is opened, the file holds the secret of that entry; the entry itself is bound "
    "to this one secret, so it can be opened to no other text."
)
SEALED = N_("This report carries the seal of an organisation, which any PDF viewer shows and checks.")
SEAL_WAITS = N_(
    "This report is not sealed yet. The same report with the seal waits for a second keeper of it, for one day, and "
    "can be fetched afterwards for seven: %(address)s"
)
NOT_SEALED = N_("This report is not sealed. It says the same as the entries; they are the proof.")
WITNESSED = N_(
    "Others who watch the log have cosigned that it only ever grew, as many as the policy asks for: %(names)s."
)
NOT_STAMPED = N_("No time-stamp covers these entries yet: their times are those of the site's own clock.")
WITNESSES_SILENT = N_(
    "They were asked when this file was made, and too few had answered when the site stopped waiting."
)
AUTHORITY_SILENT = N_("The time-stamping authority was asked when this file was made, and gave none that holds.")
STAMPED = N_("Every entry existed at %(at)s UTC. An independent time-stamping authority says so: %(who)s.")
PARTS = {
    Part.NONE: N_("This entry holds nothing personal."),
    Part.CLOSED: N_("The personal part is not opened in this file."),
    Part.ERASED: N_("The personal part was erased: its key no longer exists. The proof of the entry still holds."),
}
NOT_PROVED = (
    N_(
        "It is not proved that what a service reported had really happened as it reported it. What is proved "
        "is that it reported so, and when, and that nobody has changed the report since."
    ),
    N_(
        "It is not proved that nothing else was recorded. The entries were chosen by whoever asked for this "
        "file; the numbers of the entries show which ones lie between them."
    ),
    N_(
        "The words of this report are a reading of the entries. What counts are the entries themselves, which"
        " lie beside it in the file."
    ),
)
STEPS = (
    N_(
        "Take the log's public keys, the policy of its witnesses and the root certificates of the time-"
        "stamping authority from the site's publication or from the files of the court, never from this file."
    ),
    N_(
        "On any computer with Python and its package “cryptography”, unpack verify_evidence.py from this "
        "file, or take it from its publication. It can be read in an hour and needs no other software of "
        "ours."
    ),
    N_("Run: python verify_evidence.py FILE --log-key KEYS --policy POLICY --tsa-roots ROOTS.pem"),
    N_(
        "It says of every single thing whether it is proved, false, or could not be checked. Its first lines "
        "explain each format, so that it can be replaced by other software."
    ),
)
FILES_LISTED = N_(
    "A seal on this report covers the other files too. SHA-256 of their list, as sha256sum writes it, by name: "
    "%(files)s"
)
