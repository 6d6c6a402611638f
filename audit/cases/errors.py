# SPDX-License-Identifier: Apache-2.0
"""Errors of cases.

NotFound
└── NoSuchCase
Conflict
├── StaleCase       somebody else has added a step since the page was read
├── NoIncident      nobody has graded the case as a security incident
├── ReportDue       a security incident is closed after its closing report
└── CaseSettled     the case is closed, or the decision does not follow from where it stands
Forbidden
├── OwnCase         nobody closes a case they opened
└── CaseAboutYou    nobody closes a case with entries that tell of them
Invalid
└── BadStep         a text is missing, too long or not printable; no such entry
Unavailable
└── StepUnrecorded  the step is kept and joins the case as soon as the record takes it
Internal
└── CaseDamaged     what is stored is not what was sealed
"""

from core.errors import N_, Conflict, Forbidden, Internal, Invalid, NotFound, Unavailable


class NoSuchCase(NotFound):
    """There is none of this identifier."""

    code = "no_such_case"
    message = N_("There is no such case.")


class StaleCase(Conflict):
    """Two officers wrote at the same time; the second one reads first what the first one wrote."""

    code = "case_stale"
    message = N_("Somebody else has added to this case meanwhile. Read it and send yours again; it was not kept.")


class CaseSettled(Conflict):
    """A closed case takes no more steps; other decisions have their order."""

    code = "case_settled"
    message = N_("This case does not take that step where it stands now.")


class NoIncident(Conflict):
    """Reports and switches belong to what was graded."""

    code = "case_no_incident"
    message = N_("Nobody has classified and graded this case as a security incident yet. Do that first.")


class ReportDue(Conflict):
    """The closing report says what was learnt; the second officer closes by it."""

    code = "case_report_due"
    message = N_("The closing report is missing: cause, damage, measures, responsibility and lessons. Write it first.")


class OwnCase(Forbidden):
    """Four eyes: the second pair must be somebody else's."""

    code = "case_own"
    message = N_("You opened this case yourself. Another officer must close it.")


class CaseAboutYou(Forbidden):
    """Of one of the collected entries the officer is the subject or the actor."""

    code = "case_about_you"
    message = N_("This case holds entries about you. Another officer must close it.")


class BadStep(Invalid):
    """``field`` names what cannot be read."""

    code = "case_bad_step"
    message = N_("The field “%(field)s” is missing, too long or cannot be read.")


class StepUnrecorded(Unavailable):
    """The log gave no receipt: nobody is shown the step, and it must not be written a second time."""

    code = "case_unrecorded"
    message = N_(
        "What you wrote is kept, but the record cannot take it at the moment. It joins the case as soon as it does; "
        "do not enter it again."
    )


class CaseDamaged(Internal):
    """The stored bytes of a step are not what was sealed, or a step is missing."""

    code = "case_damaged"
    message = N_("The case %(case)s is damaged at step %(number)s.")
