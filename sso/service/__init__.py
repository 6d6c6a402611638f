# SPDX-License-Identifier: Apache-2.0
"""The verbs of sign-on, one class per concern, put together by ``SignOn``."""

from .account import Account as Account
from .authorization import Authorization as Authorization
from .authorization import Home as Home
from .authorization import Parked as Parked
from .clients import register_client as register_client
from .collaborators import Cards as Cards
from .collaborators import DecideLogin as DecideLogin
from .collaborators import People as People
from .collaborators import Person as Person
from .devices import Asking as Asking
from .devices import Devices as Devices
from .factors import Factors as Factors
from .housekeeping import Housekeeping as Housekeeping
from .key_schedule import KeySchedule as KeySchedule
from .keys import load_keys as load_keys
from .keys import make_keys as make_keys
from .login import Login as Login
from .login import NewSession as NewSession
from .logout import Logout as Logout
from .news import News as News
from .parking import Parking as Parking
from .passkeys import Passkeys as Passkeys
from .programs import enter_program as enter_program
from .programs import remove_program as remove_program
from .records import Records as Records
from .registration import invite as invite
from .rotation import begin_rotation as begin_rotation
from .rotation import end_rotation as end_rotation
from .rotation import finish_rotation as finish_rotation
from .sign_on import SignOn as SignOn
from .tokens import Tokens as Tokens
