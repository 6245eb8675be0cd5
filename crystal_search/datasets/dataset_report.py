"""The report of a dataset: a page to read, the contact sheet, and the same counts as text."""

import base64
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from crystal_search.archives.archive import LeftOut
from crystal_search.datasets.chop_recipe import Recipe
from crystal_search.datasets.dividing import Division
from crystal_search.datasets.packed import CHOPS, About, ChopRow, PackedDataset
from crystal_search.files import write_whole
from crystal_search.images import picture_file
from crystal_search.outcomes import BY_NAME, NO_DROP, OUTCOME_NAMES, OUTCOMES, Outcome
from crystal_search.wells import SPLITS

EXAMPLES = 4
REPORT, SHEET = "report.html", "contact-sheet.png"
CELL_PX, GAP_PX, LABEL_PX, COLUMNS = 128, 4, 190, 10
PAPER, INK, FADED = (255, 255, 255), (20, 20, 20), (110, 110, 110)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A dataset as it was built, for its report."""

    about: About
    recipe: Recipe
    division: Division
    images: Mapping[str, Mapping[str, int]]  #: by split, then outcome
    left_out: Sequence[LeftOut]
    drops_unknown: Sequence[str] = ()  #: images of which nobody tells which drop they show


@dataclass(frozen=True, slots=True)
class CountRow:
    """How many of one outcome each split has."""

    label: str
    frame: str  #: colour
    counts: tuple[int, ...]
    threshold: float | None = None  #: contours that a chop needs, px

    @property
    def total(self) -> int:
        """In all splits."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """How many images or chops were left out for one reason."""

    what: str
    reason: str
    count: int
    examples: tuple[str, ...]


def write_report(folder: Path, built: Built) -> None:
    """Write ``report.html`` and ``contact-sheet.png`` into a dataset whose shards and tables are there."""
    import jinja2

    source = files("crystal_search.datasets") / "page.html"
    dataset = PackedDataset(folder, built.about)
    sheet = contact_sheet(dataset)
    chops = {split: Counter(row.outcome for row in dataset.chops(split)) for split in SPLITS}
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(source.read_text(encoding="utf-8"))
    page = template.render(
        about=built.about,
        splits=SPLITS,
        chops=count_rows(chops, built.recipe.thresholds),
        images=count_rows(built.images),
        wells={split: len(dataset.wells(split)) for split in SPLITS},
        reasons=reason_rows(built.left_out),
        division=built.division,
        unknown=built.drops_unknown,
        groups={split: _groups(built, split) for split in SPLITS},
        recipe=built.recipe,
        chops_mb=sum(each.bytes for split in SPLITS for each in dataset.shards(CHOPS, split)) / 1e6,
        sheet=base64.b64encode(sheet).decode(),
    )
    write_whole(folder / SHEET, sheet)
    write_whole(folder / REPORT, page)


def contact_sheet(dataset: PackedDataset) -> bytes:
    """Return a PNG with some chops of each outcome, to see at a glance what a network will learn from.

    Each outcome of which there are chops has a row, training chops first.
    """
    rows = [(outcome, _some(dataset, outcome.name)) for outcome in OUTCOMES]
    rows = [(outcome, found) for outcome, found in rows if found]
    counts = Counter(row.outcome for split in SPLITS for row in dataset.chops(split))
    step = CELL_PX + GAP_PX
    sheet = Pillow.new("RGB", (LABEL_PX + COLUMNS * step, GAP_PX + len(rows) * step), PAPER)
    for number, (outcome, found) in enumerate(rows):
        top = GAP_PX + number * step
        _label(sheet, top, outcome, counts[outcome.name])
        for column, row in enumerate(found):
            sheet.paste(_chop(dataset, row), (LABEL_PX + column * step, top))
    return picture_file(sheet)


def _some(dataset: PackedDataset, outcome: str) -> Sequence[ChopRow]:
    """Return up to a row's chops of an outcome, of different images as long as there are."""
    for split in SPLITS:
        found = [row for row in dataset.chops(split) if row.outcome == outcome]
        if found:
            random.Random(outcome).shuffle(found)
            of_images = {row.image: row for row in found}
            others = [row for row in found if of_images[row.image] is not row]
            return [*of_images.values(), *others][:COLUMNS]
    return []


def _chop(dataset: PackedDataset, row: ChopRow) -> Pillow.Image:
    chop = np.ascontiguousarray(dataset.patch(row)[dataset.box(row).slices])
    return Pillow.fromarray(chop).resize((CELL_PX, CELL_PX), Pillow.Resampling.BOX)


def _label(sheet: Pillow.Image, top: int, outcome: Outcome, count: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, top, 7, top + CELL_PX - 1), fill=outcome.frame, outline=FADED)
    name = outcome.label.replace(", ", ",\n").replace(" with ", "\nwith ")
    draw.multiline_text((16, top + 24), name, fill=INK, font=ImageFont.load_default(17), spacing=3)
    draw.text((16, top + 84), f"{count} chops", fill=FADED, font=ImageFont.load_default(14))


def count_rows(
    counts: Mapping[str, Mapping[str, int]], thresholds: Mapping[str, float] | None = None
) -> list[CountRow]:
    """Return a row for each outcome that any split has."""
    rows = []
    for name in (*OUTCOME_NAMES, NO_DROP):
        row = tuple(counts[split].get(name, 0) for split in SPLITS)
        known = BY_NAME.get(name)
        label, frame = (known.label, known.frame) if known else ("No drop", "#ffffff")
        if any(row):
            rows.append(CountRow(label, frame, row, thresholds.get(name) if thresholds else None))
    return rows


def reason_rows(left_out: Sequence[LeftOut]) -> list[ReasonRow]:
    """Return how often each reason was given, images first, the most frequent first."""
    counts = Counter((row.what, row.reason) for row in left_out)
    ordered = sorted(counts.items(), key=lambda each: (each[0][0] != "image", -each[1], each[0][1]))
    return [
        ReasonRow(what, reason, count, tuple(_examples(left_out, what, reason))) for (what, reason), count in ordered
    ]


def _examples(left_out: Iterable[LeftOut], what: str, reason: str) -> list[str]:
    fitting = [row for row in left_out if (row.what, row.reason) == (what, reason)]
    chosen = fitting[:: max(1, len(fitting) // EXAMPLES)][:EXAMPLES]
    return [f"{row.name}: {row.detail}" if row.detail else row.name for row in chosen]


def _groups(built: Built, split: str) -> int:
    division = built.division
    return len({group for group, at in zip(division.groups, division.splits, strict=True) if at == split})


def summary(dataset: PackedDataset) -> str:
    """Return how many chops and whole images of each outcome each split has."""
    about = dataset.about
    size = sum(shard.bytes for shard in about.shards)
    lines = [
        f"{dataset.folder}: {about.scheme}, {about.normalisation}, from {', '.join(about.sources)}",
        f"{len(about.shards)} shards, {size / 1e6:.0f} MB",
    ]
    for what, counts in (
        ("chops", {split: Counter(row.outcome for row in dataset.chops(split)) for split in SPLITS}),
        ("whole images", {split: Counter(row.outcome for row in dataset.wells(split)) for split in SPLITS}),
    ):
        lines += ["", f"{what:22}" + "".join(f"{split:>12}" for split in SPLITS)]
        for name in (*OUTCOME_NAMES, NO_DROP):
            if any(counts[split][name] for split in SPLITS):
                lines.append(f"  {name:20}" + "".join(f"{counts[split][name]:12}" for split in SPLITS))
        lines.append(f"  {'in all':20}" + "".join(f"{counts[split].total():12}" for split in SPLITS))
    return "\n".join(lines) + "\n"
