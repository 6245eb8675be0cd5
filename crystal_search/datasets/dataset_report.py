"""The report of a dataset: a page to read, the contact sheet, and the same counts as text."""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from crystal_search.archives.archive import LeftOut
from crystal_search.datasets.chop_recipe import Recipe
from crystal_search.datasets.contact_sheet import contact_sheet
from crystal_search.datasets.dividing import Division
from crystal_search.datasets.packed import CHOPS, About, PackedDataset
from crystal_search.files import write_whole
from crystal_search.outcomes import BY_NAME, NO_DROP, OUTCOME_NAMES
from crystal_search.wells import SPLITS

EXAMPLES = 4
REPORT, SHEET = "report.html", "contact-sheet.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A dataset as it was built, for its report."""

    about: About
    recipe: Recipe
    division: Division
    images: Mapping[str, Mapping[str, int]]  #: by split, then outcome
    left_out: Sequence[LeftOut]


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
        groups={split: _groups(built, split) for split in SPLITS},
        recipe=built.recipe,
        chops_mb=sum(each.bytes for split in SPLITS for each in dataset.shards(CHOPS, split)) / 1e6,
        sheet=base64.b64encode(sheet).decode(),
    )
    write_whole(folder / SHEET, sheet)
    write_whole(folder / REPORT, page)


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
