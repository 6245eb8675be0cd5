"""The twelve foreign imagers: their lenses, lamps, plates and cameras, and which range of training each leaves."""

from dataclasses import dataclass, replace

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import Tensor

from crystal_search.synthesis.frames import UNITS_PER_WIDTH
from crystal_search.synthesis.pictures.looks import VISIBLE_LEVELS
from crystal_search.synthesis.pictures.optics import Optics
from crystal_search.synthesis.things.vessel import Vessel

Pixels = NDArray[np.uint8]  #: (rows, columns, 3)
SEEN_PX = 24  #: that a crystal must change in a camera's picture, of those that it changes visibly
LINE_UNITS = 5.0  #: width of an etched line
LINE_LIGHT = 0.45  #: that it lets through


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What an imager has instead of what was drawn; None: as drawn."""

    aperture: float | None = None
    lamp: float | None = None  #: by how much it stands off the axis, over the aperture
    floor: float | None = None
    defocus: float | None = None
    blur: float | None = None
    gamma: float | None = None
    sharpening: float | None = None
    tint: tuple[float, float, float] | None = None  #: grey level of full light in red, green and blue
    brightness: float = 1.0  #: over that of the lamp that was drawn
    corners: float = 1.0  #: light in the corners of the view over that in its middle
    tube: float | None = None  #: radius of the round field of view, over half of its width
    grid_units: float | None = None  #: between lines that are etched into the plate

    def __call__(self, vessel: Vessel, optics: Optics) -> tuple[Vessel, Optics]:
        """Return the equipment of this imager for what was drawn."""
        return replace(vessel, tint=self._tinted(vessel), light=self._etched(vessel)), self._optics(optics)

    def _optics(self, optics: Optics) -> Optics:
        own = {name: getattr(self, name) for name in ("aperture", "floor", "defocus", "blur", "gamma", "sharpening")}
        changed = replace(optics, resolution=1.0, **{name: value for name, value in own.items() if value is not None})
        if self.aperture is not None:
            changed = replace(changed, softness=optics.softness * self.aperture / optics.aperture)
        lamp = float(np.hypot(*optics.lamp)) / optics.aperture if self.lamp is None else self.lamp
        angle = float(np.arctan2(*optics.lamp))
        off = lamp * changed.aperture
        return replace(changed, lamp=(off * np.sin(angle), off * np.cos(angle)))

    def _tinted(self, vessel: Vessel) -> Tensor:
        height, width = vessel.light.shape
        rows = torch.linspace(-1, 1, height)[:, None] * height / width
        away = torch.hypot(rows.expand(height, width), torch.linspace(-1, 1, width).expand(height, width))
        tint = vessel.tint * self.brightness
        if self.tint is not None:
            tint = tint.mean(dim=0) / tint.mean() * torch.tensor(self.tint)[:, None, None]
        tint = tint * (1 - (1 - self.corners) * away**2 / float(away.max()) ** 2)
        if self.tube is not None:
            tint = tint * (0.02 + 0.98 * torch.sigmoid((self.tube - away) / 0.01))
        return tint.clamp(0.004, 1.1)

    def _etched(self, vessel: Vessel) -> Tensor:
        if self.grid_units is None:
            return vessel.light
        height, width = vessel.light.shape
        spacing = self.grid_units * width / UNITS_PER_WIDTH
        half = 0.5 * LINE_UNITS * width / UNITS_PER_WIDTH
        along = [
            ((torch.arange(side) + 0.3 * spacing) % spacing - spacing / 2).abs() < half for side in (height, width)
        ]
        lines = along[0][:, None] | along[1][None, :]
        return vessel.light * torch.where(lines, LINE_LIGHT, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What an imager stores of a clean picture: few pixels, noise, JPEG."""

    width_px: int
    quality: int  #: of the JPEG
    noise: float  #: standard deviation, of full scale

    def file(self, rng: np.random.Generator, picture: Pixels) -> bytes:
        """Return the JPEG of a picture that is at least as wide as the camera's."""
        height, width = picture.shape[:2]
        size = (self.width_px, round(height * self.width_px / width))
        seen = np.asarray(Pillow.fromarray(picture).resize(size, Pillow.Resampling.BOX), np.float32)
        noisy = seen + 255 * self.noise * rng.standard_normal(seen.shape, dtype=np.float32)
        pixels = np.ascontiguousarray((noisy + 0.5).clip(0, 255).astype(np.uint8))
        return bytes(simplejpeg.encode_jpeg(pixels, self.quality, "RGB", "420"))

    def tells_apart(self, one: bytes, other: bytes) -> bool:
        """Return whether two of its pictures differ by more than noise in enough pixels for somebody to see."""
        greys = (simplejpeg.decode_jpeg(each, "GRAY")[:, :, 0].astype(np.float32) for each in (one, other))
        differs = np.abs(next(greys) - next(greys)) > VISIBLE_LEVELS + 2 * 255 * self.noise
        return int(differs.sum()) >= SEEN_PX


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignImager:
    """An imager, and which range that was trained on it leaves."""

    name: str
    leaves: str  #: of `TRAINED`
    value: float  #: what it has there
    plate_type: str | None = None
    view_units: float = UNITS_PER_WIDTH  #: that the view is wide
    equipment: Equipment
    camera: Camera


#: What was trained on: rendered wells and what training makes of them (docs/foreign-imagers.md). A test compares.
TRAINED: dict[str, tuple[float, float]] = {
    "aperture": (0.12, 0.4),
    "lamp off the axis, over the aperture": (0.0, 0.45),
    "light however steep the slope": (0.0, 0.15),
    "defocus, units": (-1.3, 1.3),
    "blur, units": (0.3, 3.0),
    "gamma": (0.42, 1.85),
    "noise, of full scale": (0.0, 0.05),
    "JPEG quality": (15.0, 100.0),
    "units that the view is wide": (490.0, 1715.0),
    "full light, least of red, green and blue over the greatest": (0.54, 1.0),
    "light in the corners over that in the middle": (0.58, 1.0),
}


def camera(width_px: int, quality: int = 80, noise: float = 0.004) -> Camera:
    """Return a camera."""
    return Camera(width_px=width_px, quality=quality, noise=noise)


IMAGERS: tuple[ForeignImager, ...] = (
    ForeignImager(
        name="thumbnails", leaves="JPEG quality", value=12, equipment=Equipment(), camera=camera(320, quality=12)
    ),
    ForeignImager(
        name="steep-tones", leaves="gamma", value=2.4, equipment=Equipment(gamma=2.4), camera=camera(480, quality=60)
    ),
    ForeignImager(
        name="out-of-focus",
        leaves="blur, units",
        value=4.5,
        equipment=Equipment(blur=4.5, defocus=1.2),
        camera=camera(600, quality=70),
    ),
    ForeignImager(
        name="far-defocus",
        leaves="defocus, units",
        value=-2.6,
        equipment=Equipment(defocus=-2.6),
        camera=camera(600),
    ),
    ForeignImager(
        name="dark-field",
        leaves="lamp off the axis, over the aperture",
        value=1.3,
        equipment=Equipment(lamp=1.3, brightness=0.35, gamma=1.0),
        camera=camera(600),
    ),
    ForeignImager(
        name="oblique",
        leaves="lamp off the axis, over the aperture",
        value=0.75,
        equipment=Equipment(lamp=0.75),
        camera=camera(800),
    ),
    ForeignImager(
        name="low-aperture",
        leaves="aperture",
        value=0.055,
        equipment=Equipment(aperture=0.055),
        camera=camera(600),
    ),
    ForeignImager(
        name="pale",
        leaves="light however steep the slope",
        value=0.6,
        equipment=Equipment(floor=0.6),
        camera=camera(600, quality=60),
    ),
    ForeignImager(
        name="noisy",
        leaves="noise, of full scale",
        value=0.07,
        equipment=Equipment(),
        camera=camera(600, quality=85, noise=0.07),
    ),
    ForeignImager(
        name="blue-lamp",
        leaves="full light, least of red, green and blue over the greatest",
        value=0.12,
        equipment=Equipment(tint=(0.1, 0.3, 0.85)),
        camera=camera(480, quality=50, noise=0.008),
    ),
    ForeignImager(
        name="through-a-tube",
        leaves="light in the corners over that in the middle",
        value=0.1,
        plate_type="hanging-drop",
        equipment=Equipment(corners=0.1, tube=0.8),
        camera=camera(600),
    ),
    ForeignImager(
        name="far-view-of-a-grid",
        leaves="units that the view is wide",
        value=1900,
        plate_type="square",
        view_units=1900,
        equipment=Equipment(grid_units=170.0),
        camera=camera(600, quality=70),
    ),
)
