# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between keepers.

TallygateError
├── NotFound
│   └── NoSuchOrder         there is none, or it does not concern them
├── Forbidden
│   ├── NotKeeper           the seal has keepers, and this person is none; recorded
│   └── SamePerson          who asked or proposed cannot be the second too; recorded
└── Conflict
    ├── SecondNeeded        fewer keepers stand behind it than the seal takes; recorded
    ├── OrderOver           it was confirmed, refused or withdrawn meanwhile, or its day is over
    ├── OrderChanged        the document is not the one that was asked for; recorded
    ├── ChangeRefused       too few keepers would be left, or the person cannot be one
    └── KeepersNamed        there are keepers: they change each other, nobody else does
"""

from core.errors import N_, Conflict, Forbidden, NotFound


class NoSuchOrder(NotFound):
    """There is none, or it does not concern them: nobody is told which."""

    code = "no_such_order"
    message = N_("This is not here, or it does not concern you.")


class NotKeeper(Forbidden):
    """The seal has keepers, and this person is none."""

    code = "not_keeper"
    message = N_("The seal of this organisation has keepers, and you are none of them.")


class SamePerson(Forbidden):
    """Whoever asked cannot be the second person too, nor in the same session."""

    code = "same_person"
    message = N_("Another person has to confirm this, in a session of their own.")


class SecondNeeded(Conflict):
    """Fewer keepers stand behind it than the seal takes."""

    code = "second_needed"
    message = N_("This seal needs a second keeper, which is not possible here. Please use the page for signing.")


class OrderOver(Conflict):
    """It was confirmed, refused or withdrawn meanwhile, or its day is over."""

    code = "order_over"
    message = N_("This was confirmed, refused or withdrawn already, or its time is over. Nothing was changed.")


class OrderChanged(Conflict):
    """The document is not the one that was asked for, or not the one that was shown."""

    code = "order_changed"
    message = N_("The document is not the one that was asked for. Nothing was sealed.")


class ChangeRefused(Conflict):
    """Too few keepers would be left, the person cannot be one, or it is so already."""

    code = "keepers_refused"
    message = N_("This cannot be changed: keepers belong to the organisation, and enough of them must remain.")


class KeepersNamed(Conflict):
    """There are keepers."""

    code = "keepers_named"
    message = N_("This seal has keepers already. Only they change who else is one, two at a time.")
