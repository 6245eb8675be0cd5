"""A rendered experiment on disk: frames at several times with their truth, times, concentrations, the law's course."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from crystal_search.columns import Cell, csv_text
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.synthesis.frames import check_device
from crystal_search.synthesis.polyhedra import HABITS
from crystal_search.synthesis.rendered_folder import RenderedFolder, Sheet, check_no_others
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.suspension.crystal_model import AREA_RANGE_PX, SIDE_PX, wanted
from crystal_search.synthesis.suspension.growth_law import GrowthLaw
from crystal_search.synthesis.suspension.scene import Settings, Suspension, with_crystals
from crystal_search.synthesis.suspension.suspension_writing import write_batch

CRYSTALS_CSV, TIMES_CSV, CONCENTRATIONS_CSV = "crystals.csv", "times.csv", "concentrations.csv"
COURSE_CSV = "course.csv"  #: not ``truth.csv``, which says of each image of a folder what it shows
CRYSTAL_COLUMNS = (
    *("path", "crystal", "probability", "centre_row_px", "centre_column_px", "long_px", "short_px"),
    *("angle_degrees", "image_height_px", "image_width_px"),
)
COURSE_COLUMNS = ("hours", "concentration", "crystals_expected", "grown_px")
SHEET_COLUMNS, SHEET_IMAGES = 8, 96
SAMPLES = 25  #: measurements of the concentration over an experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is rendered of a crystallization.

    Raises
    ------
    UserError
        If there are less than two times, one twice, or one outside of the experiment.
    """

    seed: WellSeed
    law: GrowthLaw
    hours: tuple[float, ...]  #: at which frames are taken
    frames: int  #: at each of them

    def __post_init__(self) -> None:
        if len(self.hours) < 2 or list(self.hours) != sorted(set(self.hours)) or self.hours[0] < 0:
            raise UserError(f"times are two or more from 0 on, each later than the one before, got {self.hours}")


def write_experiment(folder: Path, what: Experiment, settings: Settings, *, device: str = "cpu", batch: int = 2) -> int:
    """Write an experiment; return how many crystals its frames show.

    Raises
    ------
    UserError
        If there is no such device, or the folder holds other pictures.
    OSError
        If the folder cannot be written.
    """
    check_device(device)
    check_no_others(folder, [f"images/{name}" for name, _ in _frames(what)])
    sheet = Sheet(cell_px=(SIDE_PX // 2, SIDE_PX // 2), across=SHEET_COLUMNS, most=SHEET_IMAGES)
    written = RenderedFolder(folder, tuple(HABITS), sheet)
    times: list[dict[str, Cell]] = []
    rows: list[dict[str, Cell]] = []
    with tqdm(total=len(what.hours) * what.frames, desc="rendering", unit="image", disable=None) as bar:
        for names, images in _batches(what, settings, torch.device(device), batch):
            write_batch(written, len(times), images, [name for name, _ in names])
            for place, (name, hour) in enumerate(names):
                times.append({"path": f"images/{name}", "time": f"{hour:g}"})
                rows += _crystal_rows(f"images/{name}", images.crystals.boxes[images.crystals.image == place])
            bar.update(len(names))
    write_whole(folder / CRYSTALS_CSV, csv_text(CRYSTAL_COLUMNS, rows))
    write_whole(folder / TIMES_CSV, csv_text(("path", "time"), times))
    write_whole(folder / CONCENTRATIONS_CSV, concentrations_text(what.law))
    write_whole(folder / COURSE_CSV, course_text(what))
    written.finish()
    return len(written.annotations)


def _frames(what: Experiment) -> list[tuple[str, float]]:
    """Return the name of each frame, and when it is taken."""
    return [(f"{hour:g}h_{frame:03d}.png", hour) for hour in what.hours for frame in range(what.frames)]


def _batches(
    what: Experiment, settings: Settings, device: torch.device, batch: int
) -> Iterator[tuple[list[tuple[str, float]], Suspension]]:
    """Yield names and times of some frames, and what they show."""
    frames = _frames(what)
    for start in range(0, len(frames), batch):
        names = frames[start : start + batch]
        generators = [what.seed.generator(f"growth {name}") for name, _ in names]
        crystals = []
        for generator, (_, hour) in zip(generators, names, strict=True):
            there = what.law.population(generator, hour)
            seen = there.area_px2 >= AREA_RANGE_PX[0]
            crystals.append(wanted(generator, there.ratio[seen], there.area_px2[seen]))
        yield names, with_crystals(generators, crystals, settings, device)


def _crystal_rows(path: str, boxes: torch.Tensor) -> Iterator[dict[str, Cell]]:
    """Yield what ``crystal-search crystals`` would say of an image, had its detector no faults."""
    size: dict[str, Cell] = {"path": path, "image_height_px": SIDE_PX, "image_width_px": SIDE_PX}
    if not len(boxes):
        yield size
    for number, box in enumerate(boxes.tolist(), start=1):
        row, column, long, short, angle = box
        yield size | {
            "crystal": number,
            "probability": 1,
            "centre_row_px": round(row, 2),
            "centre_column_px": round(column, 2),
            "long_px": round(long, 2),
            "short_px": round(short, 2),
            "angle_degrees": round(math.degrees(angle) % 180, 1),
        }


def concentrations_text(law: GrowthLaw) -> str:
    """Return the table of concentrations over an experiment, g/l."""
    hours = np.linspace(0, law.hours, SAMPLES).round(4).tolist()
    rows: Sequence[dict[str, Cell]] = [
        {"time": f"{hour:g}", "concentration": round(law.concentration(hour), 4), "concentration_unit": "g/l"}
        for hour in hours
    ]
    return csv_text(("time", "concentration", "concentration_unit"), rows)


def course_text(what: Experiment) -> str:
    """Return the table of what is true at each time."""
    rows: Sequence[dict[str, Cell]] = [
        {
            "hours": hour,
            "concentration": round(what.law.concentration(hour), 4),
            "crystals_expected": round(what.law.expected(hour), 3),
            "grown_px": round(float(what.law.grown_px(hour)), 4),
        }
        for hour in what.hours
    ]
    return csv_text(COURSE_COLUMNS, rows)
