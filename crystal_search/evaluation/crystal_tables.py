"""Tables of single crystals in the layout of papers: average precisions by overlap and size, crystals or none."""

from collections.abc import Iterable, Sequence

from crystal_search.evaluation.average_precision import BISCHOFF, COCO, KINDS, PARTS, Sizes, average_precisions
from crystal_search.evaluation.crystal_presence import presence
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.evaluation.judge import Judged
from crystal_search.evaluation.pixel_overlap import outlined
from crystal_search.evaluation.tables import Cell, Table, table

JudgedCrystals = Sequence[Judged[tuple[CrystalVerdict, ...]]]
OF_PIXELS = ("f_pixels_percent", "jaccard_percent", "count_difference_percent")
OF_OVERLAPS, OF_SIZES = ("ap", "ap50", "ap65", "ap75"), tuple(f"ap_{size}" for size in PARTS)


def table_6(judged: JudgedCrystals) -> Table:
    """Return average precisions by overlap and COCO's sizes, as Tables 6 and 8 of King et al. (2024)."""
    rows = (
        (each.name, KINDS[kind], *_cells(kind, marked(each.verdicts), COCO, (*OF_OVERLAPS, *OF_SIZES)))
        for each in judged
        for kind in ("bbox", "segm")
    )
    return table("table-6", ("network", "compared", *OF_OVERLAPS, *OF_SIZES, "images"), rows)


def bischoff_table_1(judged: JudgedCrystals) -> Table:
    """Return average precisions of oriented boxes by size, as Table 1 of Bischoff et al. (2022)."""
    rows = ((each.name, *_cells("obb", marked(each.verdicts), BISCHOFF, ("ap", *OF_SIZES))) for each in judged)
    return table("bischoff-table-1", ("network", "ap", *OF_SIZES, "images"), rows)


def kardoost_table_1(judged: JudgedCrystals) -> Table:
    """Return how well the pixels and the number of crystals are found, as Table 1 of Kardoost et al. (2024)."""
    rows = ((each.name, *outlined(marked(each.verdicts)), len(marked(each.verdicts))) for each in judged)
    return table("kardoost-table-1", ("network", *OF_PIXELS, "images"), rows)


def table_7(judged: JudgedCrystals) -> Table:
    """Return how right networks are about crystals or none in an image, as Tables 7 and 9 of King et al. (2024)."""
    rows = (
        (each.name, rates.name, rates.precision, rates.recall, rates.f1, rates.images)
        for each in judged
        for rates in presence(each.verdicts).classes
    )
    return table("table-7", ("network", "class", "precision_percent", "recall_percent", "f1_percent", "images"), rows)


def marked(verdicts: Iterable[CrystalVerdict]) -> list[CrystalVerdict]:
    """Return those of images whose crystals are known one by one, none of them empty."""
    return [each for each in verdicts if each.objects]


def _cells(kind: str, verdicts: Sequence[CrystalVerdict], sizes: Sizes, names: Sequence[str]) -> tuple[Cell, ...]:
    found = average_precisions(kind, verdicts, sizes)
    return *(found[name.removeprefix("ap").removeprefix("_")] for name in names), len(verdicts)
