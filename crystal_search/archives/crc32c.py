"""CRC-32C (Castagnoli), the checksum of TFRecord files, fast enough to check what is read.

A checksum is linear over bits: that of a block is the exclusive or of what each byte gives at its distance from the
block's end. So blocks are looked up in one table, all bytes at once, and only the blocks follow each other.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

POLYNOMIAL = 0x82F63B78  #: of CRC-32C, bits reversed (RFC 3720, appendix B.4)
BLOCK = 1024  #: bytes looked up at once; the table has 1 MiB
START = 0xFFFFFFFF
MASK_DELTA = 0xA282EAD8  #: TFRecord files keep checksums rotated and shifted by this


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    table = _table()
    last = [int(entry) for entry in table[-1]]
    ahead = len(data) % BLOCK
    state = START
    for byte in data[:ahead]:
        state = last[(state ^ byte) & 0xFF] ^ (state >> 8)
    blocks = np.frombuffer(data, np.uint8, offset=ahead).reshape(-1, BLOCK)
    first_bytes = table[:4].tolist()
    for block in _of_blocks(blocks, table):
        state = int(block) ^ _behind_a_block(state, first_bytes)
    return state ^ START


def masked(checksum: int) -> int:
    """Return a checksum as TFRecord files keep it."""
    return (((checksum >> 15) | (checksum << 17)) + MASK_DELTA) & 0xFFFFFFFF


def _of_blocks(blocks: NDArray[np.uint8], table: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return what each block of (N, BLOCK) bytes gives after nothing, (N,)."""
    rows = np.arange(BLOCK, dtype=np.intp) * 256  # other integers would be converted, which takes longer than all else
    found = np.empty(len(blocks), np.uint32)
    for start in range(0, len(blocks), 64):  # 64 KiB at a time stay in the processor's cache
        part = slice(start, start + 64)
        found[part] = np.bitwise_xor.reduce(table.ravel().take(rows + blocks[part]), axis=1)
    return found


def _behind_a_block(state: int, first_bytes: list[list[int]]) -> int:
    """Return what is left of a state after a block of zeros: its bytes count as the first four of the block."""
    at_0, at_1, at_2, at_3 = first_bytes
    return at_0[state & 0xFF] ^ at_1[state >> 8 & 0xFF] ^ at_2[state >> 16 & 0xFF] ^ at_3[state >> 24]


@cache
def _table() -> NDArray[np.uint32]:
    """Return what each byte value gives at each place of a block, (BLOCK, 256)."""
    table = np.empty((BLOCK, 256), np.uint32)
    entries = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        entries = np.where(entries & 1, (entries >> 1) ^ np.uint32(POLYNOMIAL), entries >> 1)
    table[-1] = entries
    for place in range(BLOCK - 2, -1, -1):
        behind = table[place + 1]
        table[place] = entries[behind & 0xFF] ^ (behind >> 8)
    return table
