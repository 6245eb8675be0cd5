"""Channel mates: a scene between crossed polars, and its fluorescence in ultraviolet light.

Between crossed polars a crystal passes sin^2(2 a) sin^2(pi B d / w) of the light of wavelength w: d is its thickness,
B the birefringence seen along the view, a the angle between its axis and the polariser. Everything without a direction
stays dark, except for what surfaces, fibres and the plate's own strain let through.

Ultraviolet light makes tryptophan glow. A protein crystal is so concentrated that it glows from its surface, brightest
where a face is seen from the side; a salt crystal stays dark and displaces what glows in the liquor.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from crystal_search.synthesis.frames import Frame
from crystal_search.synthesis.pictures import camera
from crystal_search.synthesis.pictures.looks import within
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred, smooth_noise
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import Layer
from crystal_search.synthesis.wells.scenes import Filling, Scene

Array = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

WAVELENGTHS_NM = (610.0, 545.0, 455.0)
MICRONS_PER_UNIT = (1.2, 3.0)
STRAIN_NM = (3.0, 80.0)  # retardation by the plate's own strain
SPHERULITE_NM = 250.0  # retardation of a dense one
UV_DEPTH_MICRONS = 12.0  # in which a protein crystal swallows most of the ultraviolet light
LIQUOR_DEPTH_MICRONS = 300.0

SALT_SHARE = 0.2
ISOTROPIC_SHARE = 0.1  # of crystals are cubic, and stay dark between crossed polars
CHROMOPHORE_SHARE = 0.12  # of proteins carry something that swallows the light

#: Light that a thing without crystals scatters past crossed polars, at full density.
DEPOLARISING = {
    "precipitate": 0.05,
    "precipitate_bad": 0.06,
    "precipitate_good": 0.08,
    "null_experiment": 0.4,
    "other": 0.12,
    "clear_with_features": 0.6,
}

#: Glow in ultraviolet light at full density: of aggregated protein, of skins, of fibres.
GLOWING = {
    "precipitate": 0.45,
    "precipitate_bad": 0.35,
    "precipitate_good": 0.5,
    "other": 0.3,
    "spherulites": 0.7,
    "clear_with_features": 0.4,
}


@dataclass(frozen=True, slots=True)
class Material:
    """The one substance of all crystals in a drop, and of what is dissolved."""

    kind: str  #: protein or salt
    birefringence: float  #: difference of refractive indices; 0 for cubic crystals
    fluorescence: float  #: of a thick crystal, 1 for the brightest protein; 0 for salt
    chromophore: bool  #: whether something in the protein dims its fluorescence
    dissolved: float = 0.03  #: fluorescence of the liquor where the drop is highest


def drawn_material(rng: np.random.Generator) -> Material:
    """Return a random substance.

    Crystals of protein hold much water: their birefringence is a tenth of that of salts, and less. Salts do not
    fluoresce; proteins do so by their tryptophan, some with much, some with little.
    """
    salt, isotropic, chromophore = rng.random(3) < (SALT_SHARE, ISOTROPIC_SHARE, CHROMOPHORE_SHARE)
    birefringence = log_uniform(rng, 0.01, 0.15) if salt else log_uniform(rng, 0.001, 0.02)
    tryptophan = log_uniform(rng, 0.3, 1.0) * (rng.uniform(0.05, 0.35) if chromophore else 1.0)
    return Material(
        kind="salt" if salt else "protein",
        birefringence=0.0 if isotropic else birefringence,
        fluorescence=0.0 if salt else tryptophan,
        chromophore=bool(chromophore and not salt),
        dissolved=log_uniform(rng, 0.005, 0.2),
    )


def cross_polarised(rng: np.random.Generator, shared: np.random.Generator, scene: Scene, material: Material) -> Array:
    """Return the picture between crossed polars, (rows, columns, 3) RGB.

    Parameters
    ----------
    shared
        Draws what all wells of a plate share at one imager.
    """
    frame, vessel = scene.frame, scene.vessel
    scale, polariser = shared.uniform(*MICRONS_PER_UNIT), shared.uniform(0, np.pi / 2)
    exposure, leak = log_uniform(shared, 1.5, 10), log_uniform(shared, 0.001, 0.01)
    passed = leak + _strained(shared, frame, polariser)
    passed = passed + 0.5 * (1 - vessel.dirt).clamp(0, 1) * shared.uniform(0.1, 1)
    if scene.filling is not None:
        window = scene.filling.look.drop.frame.slices
        lit = passed[(slice(None), *window)]
        passed[(slice(None), *window)] = lit + _through_drop(scene.filling, material, polariser, scale)
    levels = vessel.tint * (exposure * passed * vessel.light.clamp(0.05, 1)).clamp(0, 1.1).pow(scene.optics.gamma)
    return camera.photographed(rng, levels, scene.optics)


def _strained(rng: np.random.Generator, frame: Frame, polariser: float) -> Tensor:
    """Return the share of light past the plate's floor alone, (3, rows, columns)."""
    retardation = log_uniform(rng, *STRAIN_NM) * (1 + 0.4 * smooth_noise(rng, frame, 400))
    axis = rng.uniform(0, np.pi) + 0.5 * smooth_noise(rng, frame, 500)
    return torch.sin(2 * (axis - polariser)) ** 2 * _interference(retardation)


def _interference(retardation_nm: Tensor) -> Tensor:
    """Return sin^2 of half the phase between the two rays for red, green and blue, (3, rows, columns)."""
    return torch.stack([torch.sin(retardation_nm * (np.pi / wave)) ** 2 for wave in WAVELENGTHS_NM])


def _through_drop(filling: Filling, material: Material, polariser: float, scale: float) -> Tensor:
    """Return the share of light that the drop and all in it pass, (3, rows, columns) of the drop's frame."""
    look, drop = filling.look, filling.look.drop
    frame = drop.frame
    passed = (0.05 * (1 - look.light).clamp(0, 1)).expand(3, *frame.shape)  # steep surfaces turn polarisation a little
    for layer in _layers(filling):
        if layer.crystals is not None:
            passed = passed + _crystals(layer, frame, material, polariser, scale) * look.light.clamp(0.1, 1)
        elif layer.outcome == "spherulites":
            passed = passed + _spherulites(layer, drop, polariser)
        else:
            passed = passed + DEPOLARISING.get(layer.outcome, 0.0) * _density(layer, drop)
    return passed


def _layers(filling: Filling) -> tuple[Layer, ...]:
    """Return all that lies in a drop, lowest first."""
    return filling.companions if filling.content is None else (*filling.companions, filling.content)


def _density(layer: Layer, drop: Drop) -> Tensor:
    """Return how much of a layer is where in the drop, 0 to 1, (rows, columns)."""
    if layer.density is None:
        return drop.frame.zeros()
    return (1 - torch.exp(-layer.density.clamp_min(0))) * within(drop)


def _crystals(layer: Layer, frame: Frame, material: Material, polariser: float, scale: float) -> Tensor:
    """Return the share of light past crystals alone, (3, rows, columns); where they overlap, the sum."""
    crystals = layer.crystals
    if crystals is None or material.birefringence == 0:
        return frame.zeros().expand(3, *frame.shape)
    axes = crystals.solid.axes
    turned = np.sin(2 * (np.arctan2(axes[:, 0], axes[:, 1]) - polariser)) ** 2
    seen_nm = material.birefringence * (1 - axes[:, 2] ** 2) * scale * 1000  # retardation of a unit of thickness

    def through(wave: float) -> Tensor:
        def draw(numbers: np.ndarray[tuple[int, ...], np.dtype[np.int64]], rows: Tensor, columns: Tensor) -> Tensor:
            thickness = crystals.solid.thickness(frame, numbers, rows, columns)
            bright, delay = (frame.tensor(values[numbers])[:, None, None] for values in (turned, seen_nm))
            return bright * torch.sin(np.pi / wave * delay * thickness) ** 2

        field, _ = crystals.drawn(frame, draw)
        return blurred(field, crystals.glass.softness * frame.px_per_unit)

    return torch.stack([through(wave) for wave in WAVELENGTHS_NM]).clamp(0, 1)


def _spherulites(layer: Layer, drop: Drop, polariser: float) -> Tensor:
    """Return the share of light past balls of radial fibres: each shows the dark cross along the polars."""
    frame = drop.frame
    crossed = frame.zeros().reshape(-1)
    for stamps in layer.stamps:
        for index, covered in zip(stamps.index, stamps.covered, strict=True):
            mine = index[covered]
            if not len(mine):
                continue
            rows, columns = (mine // frame.width).float(), (mine % frame.width).float()
            angle = torch.atan2(rows - rows.mean(), columns - columns.mean())
            crossed[mine] = torch.maximum(crossed[mine], torch.sin(2 * (angle - polariser)) ** 2)
    return crossed.reshape(frame.shape) * _interference(SPHERULITE_NM * _density(layer, drop))


def fluorescence(rng: np.random.Generator, shared: np.random.Generator, scene: Scene, material: Material) -> Array:
    """Return the picture of what glows in ultraviolet light, (rows, columns, 3), grey or in one tint.

    Parameters
    ----------
    shared
        Draws what all wells of a plate share at one imager.
    """
    frame, vessel = scene.frame, scene.vessel
    scale, plate = shared.uniform(*MICRONS_PER_UNIT), log_uniform(shared, 0.005, 0.12)
    exposure, blur = log_uniform(shared, 0.7, 2.5), log_uniform(shared, 0.6, 4)
    tint = frame.tensor(np.array((0.35, 0.55, 1.0) if shared.random() < 0.3 else (1.0, 1.0, 1.0)))
    glow = plate * (1 + 0.15 * smooth_noise(shared, frame, 500)).clamp_min(0) * vessel.light.clamp(0.2, 1)
    glow = glow + (1 - vessel.dirt).clamp(0, 1) * shared.uniform(0, 0.4)
    if scene.filling is not None:
        window = scene.filling.look.drop.frame.slices
        glow[window] = glow[window] + _glow_of_drop(scene.filling, material, scale)
    glow = blurred(exposure * glow, blur * frame.px_per_unit).clamp(0, 1.05)
    noise = rng.standard_normal(frame.shape, dtype=np.float32) * np.float32(rng.uniform(0.005, 0.03))
    noisy = (glow + torch.from_numpy(noise).to(frame.device) * (0.05 + glow).sqrt()).clamp(0, 1.05)
    return camera.photographed(
        rng, noisy * tint[:, None, None], replace(scene.optics, monochrome=False, sharpening=0.0)
    )


def _glow_of_drop(filling: Filling, material: Material, scale: float) -> Tensor:
    """Return the glow of a drop and all in it, (rows, columns) of its frame."""
    drop = filling.look.drop
    frame = drop.frame
    height = drop.phase.clamp_min(0) / drop.phase.max().clamp_min(1e-6)
    glow = drop.inside * height * material.dissolved
    for layer in _layers(filling):
        if layer.crystals is None:
            protein = material.kind == "protein" or layer.outcome == "clear_with_features"
            glow = glow + protein * GLOWING.get(layer.outcome, 0.0) * _density(layer, drop)
            continue
        thickness, _ = layer.crystals.thickness(frame)
        glow = glow * torch.exp(-thickness * (scale / LIQUOR_DEPTH_MICRONS))
        shining = 1 - torch.exp(-thickness * (scale / UV_DEPTH_MICRONS))
        glow = glow + material.fluorescence * (shining + 0.35 * _sideways(thickness, frame))
    return glow


def _sideways(thickness: Tensor, frame: Frame) -> Tensor:
    """Return where faces are seen from the side, 0 to 1: there light that was guided inside comes out."""
    padded = torch.nn.functional.pad(thickness[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    rows, columns = padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2]
    return (0.25 * frame.px_per_unit * torch.hypot(rows, columns)).clamp(0, 1)
