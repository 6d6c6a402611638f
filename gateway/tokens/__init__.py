# SPDX-License-Identifier: Apache-2.0
"""Tokens of the sign-on, verified strictly: one algorithm, one issuer, one audience."""

from .jwt import KeySet as KeySet
from .jwt import access_token as access_token
from .jwt import holds as holds
from .jwt import id_token as id_token
from .jwt import program_token as program_token
from .jwt import serial_of as serial_of
from .jwt import unverified_audience as unverified_audience
from .ties import Sealing as Sealing
from .ties import Ties as Ties
