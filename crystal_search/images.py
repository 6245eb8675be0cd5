"""Images: reading them, bringing them to working size, normalising them, storing pictures.

Every image is worked on at one width, whatever camera took it, so that a drop has about the same size in
pixels at every imager. Normalisation is always over the whole image, never per chop: statistics of a chop
would make dense and windowed scoring differ.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import ImageError, UserError
from crystal_search.formats.eight_bits import to_eight_bits
from crystal_search.formats.picture import MAX_SIDE_PX, check_size
from crystal_search.formats.picture_reading import read_picture
from crystal_search.known_names import among

Grey = NDArray[np.uint8]  #: (rows, columns)
Colour = NDArray[np.uint8]  #: (rows, columns, 3), RGB
View = NDArray[np.float32]  #: (rows, columns), or (rows, columns, 3) in colour, normalised

WORKING_WIDTH_PX = 1224  #: of classifiers, and what lengths of a rendered well are counted in
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """A decoded image, perhaps reduced while decoding, and the size it was stored in."""

    colour: Colour  #: (rows, columns, 3) RGB, at least as wide as was asked for, at most as stored
    height_px: int  #: rows as stored; all positions in results are in stored pixels
    width_px: int  #: columns as stored
    converted: bool = False  #: whether values were brought to 8 bit, or a page chosen of several
    remarks: tuple[str, ...] = ()  #: what was overlooked or chosen while reading

    @property
    def scale(self) -> float:
        """Stored pixels per pixel of `colour`."""
        return self.width_px / int(self.colour.shape[1])


def decode(data: bytes, *, at_least_width_px: int = MAX_SIDE_PX) -> DecodedImage:
    """Return the image in `data`: JPEG, PNG, TIFF or BMP, grey or colour, of any depth (docs/pictures.md).

    A JPEG is reduced while it is decoded, as long as it stays `at_least_width_px` wide, which costs half
    the time; other images are reduced afterwards. An orientation tag is ignored in all of them: positions are those
    of the stored pixels.

    Raises
    ------
    ImageError
        If the data are no such image, are damaged, cut off or not all written, or have sides outside 128 to 10000 px.
    """
    picture = read_picture(data, at_least_width_px)
    colour = _to_colour(picture.pixels, at_least_width_px)
    return DecodedImage(colour, picture.height_px, picture.width_px, picture.converted, picture.remarks)


def from_array(pixels: NDArray[np.generic], *, at_least_width_px: int = MAX_SIDE_PX) -> DecodedImage:
    """Return the image whose pixels are `pixels`; the same as that of a file that holds them unchanged.

    Parameters
    ----------
    pixels
        Grey of shape (rows, columns) or RGB of shape (rows, columns, 3), uint8 or uint16.
    at_least_width_px
        As of `decode`.

    Raises
    ------
    ImageError
        If the array is no such image, or has sides outside 128 to 10000 px.
    """
    if pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
        raise ImageError(f"the pixels are {pixels.dtype}; expected uint8 or uint16")
    if pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[2] != 3):
        raise ImageError(f"the array has shape {pixels.shape}; expected (rows, columns), or (rows, columns, 3) in RGB")
    height, width = pixels.shape[:2]
    check_size(height, width)
    return DecodedImage(_to_colour(np.array(to_eight_bits(pixels)), at_least_width_px), height, width)


def _to_colour(pixels: NDArray[np.uint8], at_least_width_px: int) -> Colour:
    if (factor := pixels.shape[1] // at_least_width_px) > 1:
        pixels = np.array(Pillow.fromarray(pixels).reduce(factor))
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def to_grey(colour: Colour) -> Grey:
    """Return the luma (ITU-R BT.601) of an RGB image of shape (rows, columns, 3)."""
    return np.asarray(Pillow.fromarray(colour).convert("L"))


def resized(pixels: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    """Return a grey or colour image at `width_px`, its proportions kept; averaged where it shrinks."""
    height, width = pixels.shape[:2]
    if width == width_px:
        return pixels
    size = (width_px, max(1, round(height * width_px / width)))
    return np.asarray(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BILINEAR))


@dataclass(frozen=True, slots=True)
class Sight:
    """How large a crystal detector sees images."""

    width_px: int  #: at most; wider images are reduced to it
    enlarged: float = 1.0  #: others so many times, as far as that width

    def width_of(self, stored_px: int) -> int:
        """Return how wide an image of a width is seen.

        >>> [Sight(1224, 2.0).width_of(width) for width in (512, 1000, 2000)]
        [1024, 1224, 1224]
        """
        return min(self.width_px, round(self.enlarged * stored_px))

    def of(self, grey: Grey) -> Grey:
        """Return a grey image (rows, columns) as it is seen; enlarged it is interpolated by cubic curves."""
        height, width = grey.shape
        seen = self.width_of(width)
        if seen <= width:
            return resized(grey, seen)
        size = (seen, max(1, round(height * seen / width)))
        return np.asarray(Pillow.fromarray(grey).resize(size, Pillow.Resampling.BICUBIC))


def _gaussian_blurred(field: View, sigma_px: float) -> View:
    """Blur with edge values repeated outside; never reflected, which would draw shapes at the border."""
    radius = int(np.ceil(3 * sigma_px))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma_px**2))
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        padding = [(radius, radius) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(field, padding, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=axis)
        field = np.asarray(windows @ kernel, dtype=np.float32)
    return field


LOCAL_MEAN_SIGMA_PX = 20.0
CLAHE_LIMIT, CLAHE_TILES = 3.0, (8, 8)
LOCAL_MEAN_REDUCTION = 4  # the local mean is smooth: a quarter of the resolution gives the same numbers


def local_contrast(grey: Grey) -> View:
    """Return each pixel against its surroundings: 4 log((g + 0.04) / (mean(g) + 0.04)), g in [0, 1].

    The mean is a Gaussian of sigma 20 px over the whole image. Lamp, exposure and shading cancel; edges
    and textures stay. About -2 to 2 for well images; exactly 0 for an image of one grey.
    """
    height, width = grey.shape
    g = grey.astype(np.float32) / np.float32(255)
    small = Pillow.fromarray(g).resize(
        (max(1, width // LOCAL_MEAN_REDUCTION), max(1, height // LOCAL_MEAN_REDUCTION)), Pillow.Resampling.BOX
    )
    blurred = _gaussian_blurred(np.asarray(small), LOCAL_MEAN_SIGMA_PX / LOCAL_MEAN_REDUCTION)
    mean = np.asarray(Pillow.fromarray(blurred).resize((width, height), Pillow.Resampling.BILINEAR))
    return np.asarray(4 * np.log((g + 0.04) / (mean + 0.04)), dtype=np.float32)


def centred(grey: Grey) -> View:
    """Return the image less its mean, over its standard deviation (at least 0.02 of full scale)."""
    g = grey.astype(np.float32) / np.float32(255)
    return np.asarray((g - g.mean()) / max(float(g.std()), 0.02), dtype=np.float32)


def equalised(grey: Grey) -> View:
    """Return the image `centred` after its histogram was equalised by parts, with limited contrast.

    CLAHE (Zuiderveld 1994, Graphics Gems IV) by OpenCV, as in front of Mask R-CNN in Qin et al. (2021): 8 x 8 tiles, a
    limit of 3.

    Raises
    ------
    UserError
        If OpenCV is not installed.
    """
    try:
        opencv = import_module("cv2")  # only where it is asked for; the client has none
    except ImportError as error:
        raise UserError("the normalisation clahe-1 needs OpenCV: pip install 'crystal-search[clahe]'") from error
    return centred(opencv.createCLAHE(clipLimit=CLAHE_LIMIT, tileGridSize=CLAHE_TILES).apply(grey))


def full_scale(pixels: NDArray[np.uint8]) -> View:
    """Return a grey or colour image in [0, 1] and otherwise as it is."""
    return pixels.astype(np.float32) / np.float32(255)


def picture_file(picture: Pillow.Image, kind: Literal["PNG", "JPEG"] = "PNG", **options: Any) -> bytes:
    """Return a picture as the content of a file; `options` are Pillow's of that kind."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def contact_sheet(cells: Sequence[Pillow.Image], across: int) -> bytes:
    """Return pictures of one size and mode side by side, `across` in a row, as a PNG; there is at least one."""
    (width, height), columns = cells[0].size, min(across, len(cells))
    sheet = Pillow.new(cells[0].mode, (columns * width, -(-len(cells) // columns) * height))
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % columns * width, number // columns * height))
    return picture_file(sheet)


#: Normalisations by the name that a model card gives; a name is for good, a change is a new name.
NORMALISATIONS: dict[str, Callable[[NDArray[np.uint8]], View]] = {
    "local-contrast-1": local_contrast,
    "centred-1": centred,
    "clahe-1": equalised,
    "grey-1": full_scale,
    "rgb-1": full_scale,
}
IN_COLOUR = ("rgb-1",)  #: of these, the ones that take the colour image (docs/decisions/0004-colour-networks.md)

WITH_OPENCV = ("clahe-1",)  #: those that need OpenCV, which clients have not


def channels_of(kind: str) -> int:
    """Return how many channels a network reads under the normalisation `kind`: 3 in colour, else 1."""
    return 3 if kind in IN_COLOUR else 1


def normalised(pixels: NDArray[np.uint8], kind: str) -> View:
    """Return `pixels`, grey, or in colour where `kind` is `IN_COLOUR`, normalised as the model card's `kind` says.

    Raises
    ------
    UnknownNameError
        If there is no such normalisation; the message lists those there are.
    """
    return among(NORMALISATIONS, kind, "normalisation")(pixels)
