# SPDX-License-Identifier: Apache-2.0
"""What each reason means in words: why, and what to do. Every text is a catalogue key."""

from dataclasses import dataclass

from core.errors import N_

from ..errors import Reason


@dataclass(frozen=True)
class Words:
    """One explaining page."""

    status: int
    title: str
    why: str
    # What the person can do.
    advice: str
    # Offers on the page: "login", "step-up", "leave", "retry".
    offers: tuple[str, ...] = ()


WORDS: dict[Reason, Words] = {
    Reason.LOGIN: Words(
        401,
        N_("Please log in"),
        N_("This page is only for people who have logged in, or your session has ended."),
        N_("Log in and send your request again. What you had entered was not saved."),
        ("login",),
    ),
    Reason.STEP_UP: Words(
        403,
        N_("Please log in with your card"),
        N_("You are logged in, but this page asks for surer proof of who you are than your password gives."),
        N_("Log in again with your identity card or certificate."),
        ("step-up",),
    ),
    Reason.CREDENTIAL: Words(
        401,
        N_("Your proof of identity was not accepted"),
        N_("The token or certificate that came with the request is not valid here, or no longer."),
        N_("If you use a browser, log in again. If this is a program, obtain a new token for this service."),
        ("login",),
    ),
    Reason.AMBIGUOUS_CREDENTIAL: Words(
        400,
        N_("This request cannot be right"),
        N_("The request carries more than one proof of identity, so it is unclear who is asking."),
        N_("Delete the cookies of this site, then log in again."),
        ("login",),
    ),
    Reason.AMBIGUOUS_PATH: Words(
        400,
        N_("This request cannot be right"),
        N_("The address can be read in more than one way and is therefore not accepted."),
        N_("Check the address, or start again from the home page."),
        ("home",),
    ),
    Reason.FORWARDED: Words(
        400,
        N_("This request cannot be right"),
        N_("The request says of itself where it came from. Only the network entrance may say that."),
        N_("Switch off what adds the header “Forwarded” to your requests, then try again."),
    ),
    Reason.UNACCEPTED: Words(
        400,
        N_("This request cannot be right"),
        N_("This service does not take requests of this kind, this size or with this type of content."),
        N_("If you sent a file, make it smaller or choose another format."),
        ("home",),
    ),
    Reason.ORIGIN: Words(
        403,
        N_("This request cannot be right"),
        N_("A page of another website asked for this connection in your name."),
        N_("Open the service itself and try again from there."),
        ("home",),
    ),
    Reason.SHUT: Words(
        503,
        N_("Shut in an emergency"),
        N_("This service, this way to it, or every change of data has been shut by the officers in charge."),
        N_("What you had sent was not processed. Please try again later; your agency knows more."),
        ("retry",),
    ),
    Reason.UNKNOWN_HOST: Words(
        421,
        N_("No such service here"),
        N_("This network entrance knows no service of that name."),
        N_("Check the address."),
    ),
    Reason.DESTINATION: Words(
        403,
        N_("This destination cannot be reached"),
        N_("The name leads nowhere, or to an address that the way out does not lead to."),
        N_("Check the name. If it is right, tell your agency which destination it is."),
    ),
    Reason.STATUS: Words(
        403,
        N_("Your certificate cannot be checked now"),
        N_("Whether your certificate was revoked cannot be found out at the moment, so it is not accepted."),
        N_("Please try again in a few minutes."),
        ("retry",),
    ),
    Reason.TOO_MANY: Words(
        429,
        N_("Too many requests"),
        N_("Too many requests came from you in a short time."),
        N_("Wait a minute, then try again."),
        ("retry",),
    ),
    Reason.DISABLED: Words(
        403,
        N_("Your access has been switched off"),
        N_("Your account, your device or its certificate has been disabled or suspended."),
        N_("Ask the office that registered you. It can tell you the reason and switch access on again."),
        ("leave",),
    ),
    Reason.SEPARATION: Words(
        403,
        N_("You hold duties that must be kept apart"),
        N_(
            "Whoever watches, whoever registers and whoever sets the rules must be three people. You hold two of these."
        ),
        N_("Ask your directory administrator to withdraw one of the duties."),
        ("leave",),
    ),
    Reason.CLEARANCE: Words(
        403,
        N_("This page is classified above your clearance"),
        N_("The information here is classified, and your clearance does not reach it."),
        N_("If your work needs it, ask your superior to apply for a clearance."),
        ("leave",),
    ),
    Reason.ROLE: Words(
        403,
        N_("You have no access to this page"),
        N_("You are logged in, but this service is meant for people with another duty."),
        N_("If your work needs it, ask the directory administrator of your agency. Otherwise log in as somebody else."),
        ("leave",),
    ),
    Reason.ZONE: Words(
        403,
        N_("Not from this network"),
        N_("This service cannot be reached from the network you are on."),
        N_("Use a workplace in the network the service belongs to."),
    ),
    Reason.DEVICE: Words(
        403,
        N_("A registered device is needed"),
        N_("This address is for devices that prove themselves by a certificate."),
        N_("Use a registered device, or ask the office that looks after your devices."),
    ),
    Reason.MANDATE: Words(
        403,
        N_("You act for somebody who gave you no mandate"),
        N_("This is done for an organisation or a person only by whoever holds their mandate."),
        N_("Act for yourself, or for somebody whose mandate you hold."),
        ("leave",),
    ),
    Reason.PURPOSE: Words(
        403,
        N_("This is opened for a stated purpose only"),
        N_("Personal records are read for a purpose that is said with the request and stands in the record."),
        N_("Use the form of your application that asks what the record is needed for."),
        ("leave",),
    ),
    Reason.ASSURANCE: Words(
        403,
        N_("Your identity is not proven surely enough"),
        N_("This page asks for a person whose documents were checked, or who was seen in person."),
        N_("Go to a registration office with your identity document. It takes a few minutes."),
        ("leave",),
    ),
    Reason.DEFAULT: Words(
        403,
        N_("You have no access to this page"),
        N_("No rule allows this access."),
        N_("If you think you need it, tell your agency which page it is."),
        ("leave",),
    ),
    Reason.POLICY_ERROR: Words(
        503,
        N_("Temporarily unavailable"),
        N_("It cannot be decided at the moment whether you may see this page, so the answer is no."),
        N_("Please try again in a few minutes."),
        ("retry",),
    ),
    Reason.UNAVAILABLE: Words(
        503,
        N_("Temporarily unavailable"),
        N_("A part that every access needs does not answer at the moment. Nothing was changed."),
        N_("Please try again in a few minutes."),
        ("retry",),
    ),
    Reason.RECORD_UNAVAILABLE: Words(
        503,
        N_("Temporarily unavailable"),
        N_("Every access is recorded, and the record cannot be written at the moment. So nothing is let through."),
        N_("Please try again in a few minutes."),
        ("retry",),
    ),
}
