"""Numbers that follow from a secret and from what they belong to, and from nothing else: AES as a random function."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

from guerdon.types import FloatArray

__all__ = ["uniform"]


def uniform(secret: bytes, purpose: bytes, keys: NDArray[np.uint8]) -> FloatArray:
    """Independent uniform numbers in (0, 1), one for each key (m, 16): (m,).

    Each is the key encrypted by a cipher of its own for this secret and purpose, so that nobody without the secret can
    tell them from drawn ones, and neither the order of the keys nor the other keys matter.
    """
    cipher = Cipher(AES(blake2b(purpose, key=secret, digest_size=32).digest()), ECB()).encryptor()
    block = np.frombuffer(cipher.update(np.ascontiguousarray(keys).tobytes()), dtype=np.uint64)[::2]
    return np.asarray(((block >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)
