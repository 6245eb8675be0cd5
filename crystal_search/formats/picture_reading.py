"""What reads any picture file, by what the file is and never by what it is called.

A format that is new here needs its suffix in `images.SUFFIXES` and `work_unit.MEMBER` too, where folders are searched
and work units packed.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ImageError
from crystal_search.formats import tiff
from crystal_search.formats.bmp import bmp_size, read_bmp
from crystal_search.formats.jpeg import jpeg_size, read_jpeg
from crystal_search.formats.picture import MAX_BYTES, Picture, kind_of
from crystal_search.formats.png import read_png
from crystal_search.formats.tiff import Page
from crystal_search.formats.tiff_pixels import in_eight_bits, layout_of, values_of

MAX_STACK_BYTES = 2**32  #: of pages as large, of which the one in best focus is taken; it takes a minute
REDUCED_OR_MASK = 1 | 4  #: bits of NewSubfileType


def read_picture(data: bytes, at_least_width_px: int) -> Picture:
    """Return the picture in `data`: JPEG, PNG, TIFF or BMP; an orientation tag is ignored.

    Raises
    ------
    ImageError
        If it is another file, cut off or damaged, not all written, of a kind that is not read, or no well. The message
        names what it is.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(f"the image file has {len(data)} bytes; at most {MAX_BYTES} are read")
    kind = kind_of(data)
    readers: dict[str, Callable[[], Picture]] = {
        "JPEG": lambda: read_jpeg(data, at_least_width_px),
        "PNG": lambda: read_png(data),
        "TIFF": lambda: _read_tiff(data),
        "BMP": lambda: read_bmp(data),
    }
    if kind not in readers:
        raise ImageError(
            f"the file is no JPEG, PNG, TIFF or BMP image ({kind}); copy it again, or save it as one of these"
        )
    try:
        return readers[kind]()
    except ImageError:
        raise
    except Exception as error:  # decoders raise a dozen kinds on damaged files
        reason = f"{error or type(error).__name__}"
        raise ImageError(f"the {kind} image cannot be decoded: {reason}; copy or save it again") from error


def stored_size(data: bytes) -> tuple[int, int]:
    """Return height and width of the picture that `read_picture` would return, px as stored; nothing is decoded.

    Raises
    ------
    ImageError
        If its header cannot be read.
    """
    kind = kind_of(data)
    sizes: dict[str, Callable[[], tuple[int, int]]] = {
        "JPEG": lambda: jpeg_size(data),
        "PNG": lambda: (int.from_bytes(data[20:24]), int.from_bytes(data[16:20])),
        "TIFF": lambda: _tiff_size(data),
        "BMP": lambda: bmp_size(data),
    }
    if kind not in sizes:
        raise ImageError(f"the file is no JPEG, PNG, TIFF or BMP image ({kind})")
    try:
        return sizes[kind]()
    except ImageError:
        raise
    except Exception as error:  # as in `read_picture`
        raise ImageError(f"the header of the {kind} image cannot be read: {error or type(error).__name__}") from error


def _tiff_size(data: bytes) -> tuple[int, int]:
    page = _largest(tiff.pages(data))[0]
    return page.number(tiff.LENGTH), page.number(tiff.WIDTH)


def _largest(pages: list[Page]) -> list[Page]:
    """Return the pages that are as large as any; those that are reduced or masks count where there are no others."""
    full = [page for page in pages if not page.number(tiff.SUBFILE_TYPE) & REDUCED_OR_MASK] or pages
    if not full:
        raise ImageError("the TIFF has no page; copy it again")
    size = max(_size(page) for page in full)
    return [page for page in full if _size(page) == size]


def _read_tiff(data: bytes) -> Picture:
    """Return the largest page of a TIFF; of several as large, the one in best focus."""
    pages = tiff.pages(data)
    candidates = _largest(pages)
    best, pixels = _sharpest(data, candidates)
    layout = layout_of(best)
    return Picture(
        pixels,
        layout.height,
        layout.width,
        converted=layout.bits > 8 or layout.kind != "u" or len(pages) > 1,
        remarks=_told(pages.index(best) + 1, len(pages), len(candidates)) if len(pages) > 1 else (),
    )


def _size(page: Page) -> int:
    return page.number(tiff.LENGTH) * page.number(tiff.WIDTH)


def _told(number: int, pages: int, as_large: int) -> tuple[str, ...]:
    why = "the largest" if as_large == 1 else f"of {as_large} as large the one in best focus"
    return (f"page {number} of {pages} was taken, {why}",)


def _sharpest(data: bytes, candidates: list[Page]) -> tuple[Page, NDArray[np.uint8]]:
    best: tuple[float, Page, NDArray[np.uint8]] | None = None
    if (size := sum(layout_of(page).raw_bytes for page in candidates)) > MAX_STACK_BYTES:
        raise ImageError(
            f"the TIFF's pages have {size} bytes; at most {MAX_STACK_BYTES} are read: save the best one only"
        )
    for page in candidates:
        layout = layout_of(page)
        pixels = in_eight_bits(values_of(data, page, layout), page, layout)
        focus = sharpness(pixels) if len(candidates) > 1 else 0.0
        if best is None or focus > best[0]:
            best = (focus, page, pixels)
    if best is None:
        raise ImageError("the TIFF has no page; copy it again")
    return best[1:]


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Return how sharp a picture is: the mean squared slope of pairs of pixels, over the mean squared.

    Tenengrad (Tenenbaum 1970) at half the resolution, where noise of single pixels counts less; over the mean squared,
    so that a longer exposure is no better focus.
    """
    grey = pixels.astype(np.float32) if pixels.ndim == 2 else pixels.mean(axis=2, dtype=np.float32)
    rows, columns = grey.shape[0] // 2 * 2, grey.shape[1] // 2 * 2
    half = grey[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    slopes = np.square(half[2:] - half[:-2]).mean() + np.square(half[:, 2:] - half[:, :-2]).mean()
    return float(slopes / max(float(np.square(half).mean()), 1.0))
