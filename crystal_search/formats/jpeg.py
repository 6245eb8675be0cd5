"""JPEG: decoded strictly, so that nothing that was not in the file is scored; stray bytes are overlooked and told.

The library warns of damage and goes on with grey. Here every warning is an error, but one: bytes between segments
that belong to nothing, which some cameras leave, and which no viewer minds.
"""

import re
from bisect import bisect_left

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from crystal_search.errors import ImageError
from crystal_search.formats.picture import Picture, check_size

MAX_STRAY_BYTES = 64  #: in one place among what encodes pixels; more is a part of the picture that was not decoded
MAX_PLACES = 8  #: where bytes between pixels are overlooked
MAX_BACK = 32  #: markers that lie between stray bytes and where the library tells of them
SCAN, MAX_SCANS = b"\xff\xda", 200  #: programs write a dozen; each goes over the whole picture
MARKER = re.compile(rb"\xff+[\x01-\xfe]")  #: any number of FF may come before it
IN_PIXELS = re.compile(rb"\xff[\xc0-\xfe]")  #: markers among what encodes pixels
STRAY = re.compile(r"(\d+) extraneous bytes before marker")
START_OF_SCAN, END_OF_IMAGE, APP14 = 0xDA, 0xD9, 0xEE
NO_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))  #: markers that no length follows
CMYK_KINDS = ("CMYK", "YCCK")


def read_jpeg(data: bytes, at_least_width_px: int) -> Picture:
    """Return the picture, reduced while it is decoded as long as it stays `at_least_width_px` wide.

    Raises
    ------
    ImageError
        If the file is damaged, cut off, or not all of it was decoded; if it is no well.
    """
    if (scans := data.count(SCAN)) > MAX_SCANS:
        raise ImageError(f"the JPEG has {scans} scans; at most {MAX_SCANS} are read: save it again")
    mended, strays = header_cleaned(data)
    try:
        height, width, colour_space, _ = simplejpeg.decode_jpeg_header(mended)
        check_size(height, width)
        wanted = min(at_least_width_px, width)
        least = {"min_height": max(1, height * wanted // width), "min_width": wanted}
        pixels, more = _decoded(mended, "CMYK" if colour_space in CMYK_KINDS else "RGB", least)
    except ValueError as error:
        raise ImageError(f"the JPEG cannot be decoded: {error}; copy or save it again") from error
    remark = f"{strays + more} stray bytes between its segments were overlooked"
    return Picture(_in_rgb(pixels), height, width, remarks=(remark,) if strays + more else ())


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return height and width, px as stored, that the header says."""
    height, width, *_ = simplejpeg.decode_jpeg_header(header_cleaned(data)[0])
    return height, width


def _decoded(data: bytes, space: str, least: dict[str, int]) -> tuple[NDArray[np.uint8], int]:
    """Return the pixels, and how many bytes between pixels were overlooked.

    The library tells how many stray bytes there are, not where. They are looked for and cut out until nothing is wrong,
    so that a picture with stray bytes is read as strictly as any.
    """
    overlooked, wrong = 0, ""
    for _ in range(MAX_PLACES):
        try:
            return simplejpeg.decode_jpeg(data, space, **least), overlooked
        except ValueError as error:
            wrong = str(error)
        stray = STRAY.search(wrong)
        if not stray:
            break
        count = int(stray[1])
        if count > MAX_STRAY_BYTES:
            raise ImageError(f"the last {count} bytes of the JPEG's pixels were not decoded; copy or save it again")
        data = _pixels_cleaned(data, space, wrong, count)
        overlooked += count
    raise ValueError(wrong)


def _pixels_cleaned(data: bytes, space: str, wrong: str, count: int) -> bytes:
    """Return a JPEG without the `count` stray bytes of which the library says what is `wrong`.

    It says so at their marker or at one of the next, which is found by halves: a picture that ends there has the
    error, one that ends before has not. From there back, each marker is tried.

    Raises
    ------
    ValueError
        If it is no marker's.
    """
    markers = [each.start() for each in IN_PIXELS.finditer(data, _walked(data)[1])]
    last = bisect_left(
        range(len(markers) - 1), True, key=lambda number: _has_strays(_up_to(data, markers[number]), space)
    )
    for place in reversed(markers[max(0, last - MAX_BACK) : last + 1]):
        shorter = data[: place - count] + data[place:]
        now = _error(shorter, space)
        if not now or (STRAY.search(now) and not _has_strays(_up_to(shorter, markers[last] - count), space)):
            return shorter
    raise ValueError(wrong)


def _up_to(data: bytes, marker: int) -> bytes:
    """Return the beginning of a picture: with the marker if it starts anew, without if it begins a segment."""
    return data[: marker + 2 if data[marker + 1] in NO_LENGTH else marker] + b"\xff\xd9"


def _has_strays(data: bytes, space: str) -> bool:
    return STRAY.search(_error(data, space)) is not None


def _error(data: bytes, space: str) -> str:
    """Return what the library finds wrong first; nothing where all is well."""
    try:
        simplejpeg.decode_jpeg(data, space, min_height=1, min_width=1)
    except ValueError as error:
        return str(error)
    return ""


def _walked(data: bytes) -> tuple[list[bytes], int]:
    """Return the segments of the header, and where they end: at the first scan, or where there are no more."""
    segments, at = [data[:2]], 2
    while (found := MARKER.search(data, at)) and (marker := found[0][-1]) not in (START_OF_SCAN, END_OF_IMAGE):
        at = found.end() + (0 if marker in NO_LENGTH else int.from_bytes(data[found.end() : found.end() + 2]))
        segments.append(data[found.start() : at])
    return segments, found.start() if found else at


def header_cleaned(data: bytes) -> tuple[bytes, int]:
    r"""Return a JPEG without what lies between the segments of its header, and how many bytes that were.

    >>> header_cleaned(b"\xff\xd8" + b"\xff\x00ab" + b"\xff\xda...")
    (b'\xff\xd8\xff\xda...', 4)
    """
    segments, end = _walked(data)
    strays = end - sum(map(len, segments))
    return (b"".join((*segments, data[end:])), strays) if strays > 0 else (data, 0)


def with_tables(data: bytes, tables: bytes, *, in_rgb: bool) -> bytes:
    """Return a JPEG of a TIFF as a file of its own.

    Parameters
    ----------
    data
        One strip or tile.
    tables
        What all of them share, a JPEG without a picture; may be empty.
    in_rgb
        Whether three components are red, green and blue; else luma and chroma.
    """
    adobe = b"Adobe\0d\0\0\0\0" + (b"\0" if in_rgb else b"\1")
    head = b"\xff\xd8" + bytes((0xFF, APP14)) + (2 + len(adobe)).to_bytes(2) + adobe
    return head + tables.removeprefix(b"\xff\xd8").removesuffix(b"\xff\xd9") + data.removeprefix(b"\xff\xd8")


def _in_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return CMYK, which JPEG files hold inverted, as RGB."""
    if pixels.shape[2] == 3:
        return pixels
    ink = pixels.astype(np.uint16)
    return np.asarray((ink[:, :, :3] * ink[:, :, 3:] + 127) // 255, np.uint8)
