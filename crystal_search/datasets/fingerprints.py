"""Perceptual fingerprints: which pictures are the same but for their file format, size or exposure.

They are taken of the local contrast (`images.local_contrast`). The lamp's shading, which all images of an imager have
in common, would decide what is brighter wherever a picture shows nothing, and empty wells and clear chops would all
look the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.images import Grey, local_contrast

ROWS, COLUMNS = 16, 16  #: bits of a fingerprint
WORDS = ROWS * COLUMNS // 64
NEAR_BITS = 20  #: pictures whose fingerprints differ in no more bits count as the same
#: Pictures of one drop at several inspections mostly differ in no more than the first of these; those of rendered drops
#: differ in 66 at least. The smaller ones are for pictures that have more in common than that.
ALIKE_BITS = (48, 40, 32, 24)
BLOCK = 2048  #: pictures that are compared with all others at once

Fingerprint = NDArray[np.uint64]  #: (WORDS,)


def fingerprint(grey: Grey) -> Fingerprint:
    """Return whether each of 16 x 16 parts of a picture stands out more than the one to its left, as 256 bits.

    Pictures are compared at working width, or at a chop's side, since contrast is local over a number of pixels.
    """
    contrast = Pillow.fromarray(local_contrast(np.ascontiguousarray(grey)))
    parts = np.asarray(contrast.resize((COLUMNS + 1, ROWS), Pillow.Resampling.BOX))  # (ROWS, COLUMNS + 1)
    return np.asarray(np.packbits(parts[:, 1:] > parts[:, :-1]).view(np.uint64))


def bits_apart(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return in how many bits fingerprints differ; the last axis holds the words of one."""
    differing = np.ascontiguousarray(one ^ other)
    return np.asarray(np.unpackbits(differing.view(np.uint8), axis=-1).sum(axis=-1, dtype=np.int64))


def near_pairs(fingerprints: Sequence[Fingerprint], near_bits: int = NEAR_BITS) -> Iterator[tuple[int, int]]:
    """Yield pairs of positions whose fingerprints differ in at most `near_bits`, each pair once or more.

    Two that differ in d bits have one of d + 1 bands of bits in common, so only those that share a band are compared.
    """
    if not fingerprints:
        return
    table = np.stack(fingerprints)  # (N, WORDS)
    bits = np.unpackbits(table.view(np.uint8), axis=1)  # (N, 256)
    for band in np.array_split(bits, near_bits + 1, axis=1):
        sharing: dict[bytes, list[int]] = defaultdict(list)
        for position, key in enumerate(np.packbits(band, axis=1)):
            sharing[key.tobytes()].append(position)
        for positions in sharing.values():
            yield from _near(table, positions, near_bits)


def _near(table: NDArray[np.uint64], positions: list[int], near_bits: int) -> Iterator[tuple[int, int]]:
    for first in range(len(positions) - 1):
        others = np.array(positions[first + 1 :])
        apart = bits_apart(table[others], table[positions[first]])
        for other in others[apart <= near_bits].tolist():
            yield positions[first], other


def alike_pairs(
    fingerprints: Sequence[Fingerprint], positions: Sequence[int], alike_bits: int = ALIKE_BITS[0]
) -> Iterator[tuple[int, int, int]]:
    """Yield pairs of which one is in `positions`, and in how many bits they differ: at most `alike_bits`."""
    if not positions:
        return
    bits = np.unpackbits(np.stack(fingerprints).view(np.uint8), axis=1)
    signs = bits.astype(np.float32) * 2 - 1  # (N, 256): the product of two is 256 less twice the bits that differ
    for start in range(0, len(positions), BLOCK):
        some = np.array(positions[start : start + BLOCK])
        apart = (ROWS * COLUMNS - signs[some] @ signs.T) / 2
        for row, other in np.argwhere(apart <= alike_bits).tolist():
            if some[row] != other:
                yield int(some[row]), other, int(apart[row, other])
