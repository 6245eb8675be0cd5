"""Telling a copy that was not finished from a picture that is black at one end.

Copying programs may give a file its length first. What they have not written yet is zeros, which uncompressed formats
take for black. A picture that is black at its end turns so at the border of a row, at the edge of a mask, or slowly;
where a copy stopped, rows that are lit all along turn to zeros within a row, or where a block of the disk ends.
"""

import numpy as np
from numpy.typing import DTypeLike

from crystal_search.errors import ImageError

BLOCK_BYTES = 512  #: file systems and copying programs stop at a multiple of it
DARK = 0.01  #: of the brightest value; what is darker may turn to zero by itself
LIT_SHARE = 0.9  #: of the last row before the zeros; less is the edge of a mask
LEAST_MISSING = 2  #: values of a row; fewer may be dark pixels at its end


def refuse_zero_tail(
    data: bytes, start: int, row_bytes: int, dtype: DTypeLike = np.uint8, *, padding: int = 0, block: int = BLOCK_BYTES
) -> None:
    """Raise an ImageError if uncompressed pixels end in zeros that no camera wrote.

    Parameters
    ----------
    data
        The file up to the end of its pixels.
    start
        Where they begin.
    row_bytes
        From one row to the next.
    dtype
        Of the values, with their byte order.
    padding
        Bytes at the end of each row that are no pixels.
    block
        Where a row ends at a multiple of so many bytes, it may have been the last to be copied.

    Raises
    ------
    ImageError
        If they do: whoever writes the file has not come to its end.
    """
    end, size = len(data.rstrip(b"\0")), np.dtype(dtype).itemsize
    if len(data) - end < max(row_bytes, BLOCK_BYTES) or end - start < row_bytes:
        return
    values = np.frombuffer(data, dtype, (end - start) // size, start)
    last = values[-(row_bytes // size) :]
    lit = last > DARK * float(values.max())
    missing = (row_bytes - padding - ((end - start) % row_bytes or row_bytes)) // size
    above_missing = lit[: max(missing, 0)]
    if np.mean(lit) < LIT_SHARE or not lit[-1]:
        return
    within_row = len(above_missing) >= LEAST_MISSING and np.mean(above_missing) >= LIT_SHARE
    if within_row or (-end % block < size and values[: len(last)].any()):
        share = round(100 * (len(data) - end) / (len(data) - start))
        raise ImageError(f"the last {share} % of the pixels were never written; it is half a copy: copy it again")
