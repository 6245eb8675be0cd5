"""``python -m benchmarks.bench_sentinel``: how soon the sentinel notices rendered faults, and how often it cries wolf.

Several imagers are rendered, each with a lens, a lamp and a kind of well of its own. What is usual is learnt from
plates of some wells; streams are of others, in plates whose outcomes differ as those of proteins do. Faults are put
into the light before the camera: noise, tone and JPEG come after.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.table import Row, table
from crystal_search.datasets.rendering import ROTA
from crystal_search.errors import CrystalSearchError
from crystal_search.images import to_grey
from crystal_search.outcomes import BY_NAME, GROUPS
from crystal_search.sentinel.imager_faults import IMAGES_TO_FALSE_ALARM, ImagerWatch
from crystal_search.sentinel.usual import BRIGHT, CLASSES, DARK, DEFOCUS, DIRT, EMPTY, Look, Usual, learnt
from crystal_search.sentinel.vitals import vitals_of
from crystal_search.synthesis.pictures.camera import photographed
from crystal_search.synthesis.pictures.optics import Optics
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.textures import blurred
from crystal_search.synthesis.things.dirt import specks
from crystal_search.synthesis.wells.rendered_well import levels_of, staged
from crystal_search.synthesis.wells.scenes import Scene
from crystal_search.synthesis.wells.visits import Settings

SIZE = (512, 612)  #: rows, columns
PLATE = 48  #: images
LEARNT_PLATES = 12
LEARNT_WELLS, WELLS = 280, 400  #: rendered for these plates; for them and streams
MIXED = 3.0  #: of the Dirichlet distribution of a plate's outcomes; 1 is very different plates, 10 alike ones
BEFORE = 100  #: images before a fault begins
WITHIN = 50  #: images in which a fault is to be noticed
SPECK_LETS_THROUGH = 0.35  #: share of the light, in its middle
REPEATS = 4  #: streams of each fault at each imager

Bend = Callable[[Tensor, int], Tensor]  #: of grey levels, by the number of the image since the fault began


@dataclass(frozen=True, slots=True, eq=False)
class Well:
    """A rendered well before its camera, and its picture as the sentinel sees it."""

    levels: Tensor  #: (3, rows, columns) float16
    optics: Optics
    group: int | None
    look: Look


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """What may happen to an imager."""

    what: str
    kind: str  #: as what it is to be noticed
    bend: Bend | None  #: what it does to the light; None where nine in ten wells are called `group` instead
    group: int | None = None


def scenes(imager: int, numbers: Sequence[int]) -> Iterator[tuple[Scene, np.random.Generator]]:
    """Yield rendered wells of an imager, each with the stream that its picture is taken with."""
    for number in tqdm(numbers, desc=f"imager {imager}", leave=False):
        seed, outcome = WellSeed("validation", 100_000 * (imager + 1) + number), ROTA[number % len(ROTA)]
        with suppress(CrystalSearchError):  # one that cannot be seen at this imager
            yield staged(seed, outcome, WellSeed("validation", imager), Settings(size=SIZE))


def wells(imager: int, numbers: Sequence[int]) -> list[Well]:
    """Return rendered wells of an imager."""
    found = []
    for scene, rng in scenes(imager, numbers):
        group = None if scene.outcome is None else GROUPS.index(BY_NAME[scene.outcome].group)
        levels = levels_of(scene)
        found.append(Well(levels.half(), scene.optics, group, look_at(levels, scene.optics, rng, group)))
    return found


def look_at(levels: Tensor, optics: Optics, rng: np.random.Generator, group: int | None) -> Look:
    """Return what the sentinel sees of a photograph of grey levels."""
    return Look(vitals=vitals_of(to_grey(photographed(rng, levels, optics))), group=group, plate="")


def plates(among: Sequence[Well], count: int, rng: np.random.Generator) -> list[list[int]]:
    """Return for each of `count` plates which wells it has; groups are more or less frequent on it."""
    groups = np.array([-1 if each.group is None else each.group for each in among])
    found = []
    for _ in range(count):
        shares = rng.dirichlet(np.full(len(GROUPS) + 1, MIXED))
        of_well = np.array([shares[group] / (groups == group).sum() for group in groups])
        found.append([int(each) for each in rng.choice(len(among), PLATE, p=of_well / of_well.sum())])
    return found


def learnt_of(among: Sequence[Well], rng: np.random.Generator) -> Usual:
    """Return what is usual on some plates."""
    return learnt(
        [
            Look(vitals=among[at].look.vitals, group=among[at].group, plate=str(plate))
            for plate, members in enumerate(plates(among, LEARNT_PLATES, rng))
            for at in members
        ]
    )


def false_alarms(usual: Usual, among: Sequence[Well], images: int, rng: np.random.Generator) -> list[str]:
    """Return the kinds of alarms in a stream in which nothing is the matter."""
    watch, found = ImagerWatch(usual), []
    for members in plates(among, images // PLATE + 1, rng):
        for at in members:
            found += [alarm.kind for alarm in watch.look(among[at].look)]
    return found


def noticed_after(usual: Usual, among: Sequence[Well], fault: Fault, rng: np.random.Generator) -> int | None:
    """Return after how many images a fault was noticed as what it is; None when it was not within `WITHIN`."""
    watch = ImagerWatch(usual)
    stream = [among[at] for members in plates(among, 4, rng) for at in members]
    for well in stream[:BEFORE]:
        watch.look(well.look)
    for number, well in enumerate(stream[BEFORE : BEFORE + WITHIN]):
        if fault.kind in [alarm.kind for alarm in watch.look(_with(fault, well, number, rng))]:
            return number + 1
    return None


def _with(fault: Fault, well: Well, number: int, rng: np.random.Generator) -> Look:
    if fault.bend is not None:
        return look_at(fault.bend(well.levels.float(), number), well.optics, rng, well.group)
    return replace(well.look, group=fault.group if rng.random() < 0.9 else well.group)


def _defocused(levels: Tensor, _: int, *, sigma_px: float) -> Tensor:
    return torch.stack([blurred(each, sigma_px) for each in levels])


def _dimmed(levels: Tensor, number: int, *, step: float) -> Tensor:
    return levels * (1 - step * (number + 1))


def _brighter(levels: Tensor, _: int, *, by: float) -> Tensor:
    return levels * (1 + by)


def _dirty(levels: Tensor, _: int, *, light: Tensor) -> Tensor:
    return levels * light


def _light_through_dirt(scene: Scene, radius_px: float, rng: np.random.Generator) -> Tensor:
    """Return the share of light that a speck at the camera lets through, at a place where there is light."""
    frame = scene.frame
    lit = torch.nonzero(scene.vessel.light > 0.5).numpy()
    place = lit[rng.integers(len(lit))] / frame.px_per_unit
    density = specks(rng, frame, np.array([place]), np.array([radius_px / frame.px_per_unit]))
    return SPECK_LETS_THROUGH ** (density / density.max())


def faults(scene: Scene, rng: np.random.Generator) -> list[Fault]:
    """Return what is tried."""
    camera_px = 1 / scene.optics.resolution
    found = [
        Fault(f"defocus, sigma {px} px of the camera", DEFOCUS, partial(_defocused, sigma_px=px * camera_px))
        for px in (1.0, 2.0)
    ]
    found += [
        Fault("lamp, 0.5 % darker with each image", DARK, partial(_dimmed, step=0.005)),
        Fault("lamp, 15 % brighter", BRIGHT, partial(_brighter, by=0.15)),
        Fault("nine of ten wells empty", EMPTY, None),
        Fault("nine of ten called clear", CLASSES, None, GROUPS.index(BY_NAME["clear"].group)),
        Fault("nine of ten called crystal", CLASSES, None, 0),
    ]
    lights = [(px, _light_through_dirt(scene, px, rng)) for px in (6.0, 12.0)]
    return [
        *found,
        *(Fault(f"dirt on the camera, {px:.0f} px", DIRT, partial(_dirty, light=each)) for px, each in lights),
    ]


def log(text: str) -> None:
    """Say how far it is."""
    sys.stderr.write(text + "\n")


def rows(imagers: int, images: int) -> list[Row]:
    """Return every figure of this module."""
    torch.set_num_threads(1)
    crying: list[str] = []
    noticed: dict[str, list[int | None]] = {}
    for imager in range(imagers):
        rng = np.random.default_rng(imager)
        usual, fresh = learnt_of(wells(imager, range(LEARNT_WELLS)), rng), wells(imager, range(LEARNT_WELLS, WELLS))
        crying += false_alarms(usual, fresh, images, rng)
        for scene, _ in scenes(imager, range(LEARNT_WELLS, LEARNT_WELLS + REPEATS)):
            for fault in faults(scene, rng):
                noticed.setdefault(fault.what, []).append(noticed_after(usual, fresh, fault, rng))
        log(f"imager {imager}: {len(crying)} false alarms so far; {[each[-REPEATS:] for each in noticed.values()]}")
    total = imagers * images
    allowed = total / IMAGES_TO_FALSE_ALARM
    kinds = ", ".join(sorted(set(crying)))
    said = f"{len(crying)} in {total} images{f' ({kinds})' if kinds else ''}"
    found = [Row("false alarms", said, f"<= {allowed:g}", len(crying) <= allowed)]
    for what, each in noticed.items():
        after = [number for number in each if number is not None]
        figure = f"{len(after)} of {len(each)}" + (
            f", after {np.median(after):.0f}, at most {max(after)}" if after else ""
        )
        found.append(Row(what, figure, f"all within {WITHIN}", len(after) == len(each)))
    return [*found, Row("processor time of an image's vitals", f"{1000 * _vitals_s():.1f} ms")]


def _vitals_s() -> float:
    grey = np.random.default_rng(0).integers(0, 255, (1024, 1224), np.uint8)
    start = time.process_time()
    for _ in range(20):
        vitals_of(grey)
    return (time.process_time() - start) / 20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imagers", type=int, default=8)
    parser.add_argument("--images", type=int, default=10_000, help="of each imager, in which nothing is the matter")
    arguments = parser.parse_args()
    found = rows(arguments.imagers, arguments.images)
    print(table(found))
    sys.exit(any(row.reached is False for row in found))
