"""Drop locators judged against masks that people drew, image by image."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from crystal_search.datasets.packed import sampled
from crystal_search.errors import ImageError, UserError
from crystal_search.evaluation.image_figures import drop_figures
from crystal_search.evaluation.image_verdicts import DropVerdict, located
from crystal_search.evaluation.judge import Chapter, Contender, Figure, Judged, Options
from crystal_search.evaluation.known_images import KnownImage, Truth
from crystal_search.evaluation.page_parts import Gallery, Picture, Plot, Section
from crystal_search.evaluation.page_pictures import with_masks
from crystal_search.evaluation.plots import overlap_plot
from crystal_search.evaluation.tables import Cell, table
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import in_role
from crystal_search.model_card import DropCard

WORST = 24  #: images on the page
OVERLAP = (
    "Intersection over union: the part that both the mask and the answer call drop, of what either calls drop; 1 is "
    "perfect. A drop that was not found counts 0."
)
KEY = "A solid white outline is the mask, a dashed orange one what was found."
COLUMNS = (
    *("network", "image", "source", "well", "plate", "truth"),
    *("drop_there", "drop_found", "iou", "drop_share_true", "drop_share"),
)

Verdicts = tuple[DropVerdict, ...]


class DropJudge:
    """Judges drop locators on the images of which it is known where the drop is."""

    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> Verdicts:
        """Return what the locator says of each image.

        Raises
        ------
        UserError
            If no drop has a mask, or an image of a dataset or its mask cannot be read.
        """
        known = [each for each in truth.images if each.masked]
        if all(each.empty for each in known):
            raise UserError(f"no image of {truth.name} has a mask of its drop; draw some (docs/training-drops.md)")
        network = OnnxNetwork(in_role(contender.model, DropCard), threads=options.threads)
        return tuple(verdict_of(each, network) for each in sampled(known, options.wells))

    def figures(self, verdicts: Verdicts) -> Mapping[str, Sequence[Figure]]:
        """Return how well drops are found."""
        return {"drop": drop_figures(verdicts)}

    def chapter(self, judged: Sequence[Judged[Verdicts]], truth: Truth, options: Options) -> Chapter:
        """Return how often drops overlap how well, and the images where it did worst."""
        rows = ((each.name, *_cells(verdict)) for each in judged for verdict in each.verdicts)
        parts = [part for each in judged for part in _parts(each)]
        return Chapter(sections=(Section("Drops", (OVERLAP, *parts)),), tables=(table("drop-wells", COLUMNS, rows),))


def verdict_of(known: KnownImage, locator: Network[DropCard]) -> DropVerdict:
    """Return what `locator` says of one image.

    Raises
    ------
    UserError
        If the image or its mask cannot be read.
    """
    try:
        verdict = located(known, locator)
    except ImageError as error:
        raise UserError(f"{known.name}: {error}; take it out, and try again") from error
    if verdict.true is None:
        raise UserError(f"the mask of {known.name} cannot be read; save it again")
    return verdict


def _cells(verdict: DropVerdict) -> tuple[Cell, ...]:
    known = verdict.known
    true, found = (0.0 if mask is None else float(mask.mean()) for mask in (verdict.true, verdict.found))
    return (
        *(known.name, known.source, known.well, known.plate, known.label),
        *(not known.empty, verdict.drop_found, verdict.overlap, true, found),
    )


def _parts(judged: Judged[Verdicts]) -> Iterator[str | Plot | Gallery]:
    overlaps = [each.overlap or 0.0 for each in judged.verdicts if not each.known.empty]
    yield f"{judged.name}: {len(overlaps)} images with a drop, {len(judged.verdicts) - len(overlaps)} empty wells."
    yield Plot(overlap_plot(np.array(overlaps)), "Histogram of intersection over union")
    worst = sorted(judged.verdicts, key=lambda each: each.overlap or 0.0)[:WORST]
    yield f"The {len(worst)} images where it did worst. {KEY}"
    yield Gallery(tuple(_picture(each) for each in worst))


def _picture(verdict: DropVerdict) -> Picture:
    said = verdict.known.label.replace("_", " ")
    if verdict.known.empty:
        said = "empty well, " + ("false drop" if verdict.drop_found else "reported empty")
    elif not verdict.drop_found:
        said = f"missed, {said}"
    picture = with_masks(verdict.known, verdict.true, verdict.found)
    return Picture(picture, (f"{verdict.overlap:.2f} {said}", verdict.known.name))
