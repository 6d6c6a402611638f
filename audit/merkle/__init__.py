# SPDX-License-Identifier: Apache-2.0
"""The mathematics of the log: hashes, proofs, tiles, checkpoints and signed notes. No I/O here, and no clock."""

from .checkpoint import Checkpoint as Checkpoint
from .cosignature import CosignerKey as CosignerKey
from .hashing import EMPTY_ROOT as EMPTY_ROOT
from .hashing import leaf_hash as leaf_hash
from .hashing import node_hash as node_hash
from .hashing import root_hash as root_hash
from .keys import LogKey as LogKey
from .keys import VerifierKey as VerifierKey
from .note import Note as Note
from .note import Signature as Signature
from .proofs import consistency_proof as consistency_proof
from .proofs import inclusion_proof as inclusion_proof
from .proofs import verify_consistency as verify_consistency
from .proofs import verify_inclusion as verify_inclusion
from .tiles import Edge as Edge
