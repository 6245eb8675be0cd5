"""Detectors of single crystals judged on images whose crystals are known, one by one or only whether there are any."""

from collections.abc import Iterator, Mapping, Sequence

from crystal_search.crystal import Crystal
from crystal_search.crystals.finding import find_crystals
from crystal_search.datasets.packed import sampled
from crystal_search.errors import ImageError, UserError
from crystal_search.evaluation import paper
from crystal_search.evaluation.crystal_figures import crystal_figures
from crystal_search.evaluation.crystal_tables import bischoff_table_1, kardoost_table_1, marked, table_6, table_7
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict, has_crystals
from crystal_search.evaluation.judge import Chapter, Contender, Figure, Judged, Options
from crystal_search.evaluation.known_images import KnownImage, Truth
from crystal_search.evaluation.page_parts import Folded, Gallery, Picture, Section
from crystal_search.evaluation.page_pictures import with_crystals
from crystal_search.evaluation.tables import table
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import in_role
from crystal_search.model_card import CrystalCard

WORST = 24  #: images on the page
LEAST_PROBABILITY = 0.05  #: of a crystal in the curve of precision and recall
ABOUT = (
    "AP is the mean precision over all recalls, at overlaps of 0.50 to 0.95 or at the one in its name; crystals that "
    "are too faint to be seen count neither as found nor as missed."
)
KEY = "Solid white boxes are the true crystals, dashed orange ones what was found and counts."
FIT = (
    "Average precision of upright boxes and masks, over overlaps of 0.50 to 0.95 and at single ones; small crystals "
    "have less than 32 x 32 px in their masks, large ones at least 96 x 96. Up to 100 crystals an image."
)
BY_SIZE = (
    "Average precision of oriented boxes; small ones have an area of less than 8 x 8 px, large ones of at least "
    "24 x 24. Up to 200 crystals an image."
)
PIXELS = (
    "All crystals of an image together: the pixels of their masks against those of the outlines that count, mean over "
    "images; and how many more or fewer are counted than there are, over the mean number of crystals in an image."
)
PRESENCE = "An image is called crystals if one crystal in it, or more, is probable enough to count."
COLUMNS = ("network", "image", "source", "crystals_there", "crystals_found")

Verdicts = tuple[CrystalVerdict, ...]


class CrystalJudge:
    """Judges detectors on the images of which it is known which crystals, or whether any, are in them."""

    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> Verdicts:
        """Return what the detector says of each image.

        Raises
        ------
        UserError
            If nobody says of any image which crystals it has or whether it has some, or an image cannot be read.
        """
        known = [each for each in truth.images if each.objects is not None or has_crystals(each, None) is not None]
        if not known:
            raise UserError(
                f"nobody says of {truth.name} which crystals there are, one by one, or whether there are any "
                "(docs/crystals.md)"
            )
        network = OnnxNetwork(in_role(contender.model, CrystalCard), threads=options.threads)
        return tuple(verdict_of(each, network) for each in sampled(known, options.wells))

    def figures(self, verdicts: Verdicts) -> Mapping[str, Sequence[Figure]]:
        """Return how well crystals are found."""
        return {"crystals": crystal_figures(verdicts)}

    def chapter(self, judged: Sequence[Judged[Verdicts]], truth: Truth, options: Options) -> Chapter:
        """Return how many crystals were found in each image, papers' tables, and the images that are farthest off."""
        rows = (
            (each.name, found.known.name, found.known.source, _there(found), len(found.counted))
            for each in judged
            for found in each.verdicts
        )
        parts = [part for each in judged for part in _parts(each)]
        counts = table("crystals", COLUMNS, rows)
        fit, by_size, presence = table_6(judged), bischoff_table_1(judged), table_7(judged)
        pixels = kardoost_table_1(judged)
        sections = (
            Section("Crystals", (ABOUT, *parts)),
            Section("Crystals: boxes and masks", (FIT, fit, *_folded(paper.DETECTORS), *_folded(paper.WITH_CLAHE))),
            Section("Crystals by size", (BY_SIZE, by_size, *_folded(paper.SUSPENSIONS))),
            Section("Crystals together", (PIXELS, pixels, *_folded(paper.IN_CELLULO))),
            Section("Crystals or none in an image", (PRESENCE, presence, *_folded(paper.PRESENCE))),
        )
        shown = (
            True,
            *[bool(marked(judged[0].verdicts))] * 3,
            any(v.has_crystals is not None for v in judged[0].verdicts),
        )
        return Chapter(
            sections=tuple(each for each, there in zip(sections, shown, strict=True) if there),
            tables=(counts, fit, by_size, pixels, presence),
        )


def _folded(theirs: paper.Theirs) -> Iterator[Folded]:
    yield Folded(f"The same table in {theirs.source}", (theirs.about, *theirs.tables))


def _there(verdict: CrystalVerdict) -> int | None:
    return None if verdict.objects is None else len(verdict.lengths_px)


def verdict_of(known: KnownImage, detector: Network[CrystalCard]) -> CrystalVerdict:
    """Return what `detector` says of one image.

    Raises
    ------
    UserError
        If the image cannot be read.
    """
    try:
        image = known.image(detector.card.working_width_px)
    except ImageError as error:
        raise UserError(f"{known.name}: {error}; take it out, and try again") from error
    return CrystalVerdict(
        known=known,
        height_px=image.height_px,
        width_px=image.width_px,
        objects=known.objects() if known.objects else None,
        found=find_crystals(image, detector, least_probability=LEAST_PROBABILITY),
        least_probability=detector.card.least_probability,
    )


def _parts(judged: Judged[Verdicts]) -> Iterator[str | Gallery]:
    there, found = (
        sum(counts) for counts in zip(*((len(v.lengths_px), len(v.counted)) for v in judged.verdicts), strict=True)
    )
    yield f"{judged.name}: {len(judged.verdicts)} images, {there} crystals that are marked, {found} counted."
    worst = sorted(judged.verdicts, key=_off, reverse=True)[:WORST]
    yield f"The {len(worst)} images that are farthest off. {KEY}"
    yield Gallery(tuple(_picture(each) for each in worst))


def _off(verdict: CrystalVerdict) -> int:
    """Return by how many crystals an image is off, at least; of one that is only called right or wrong, 0 if right."""
    if (there := _there(verdict)) is None:
        return 0 if bool(verdict.counted) == verdict.has_crystals else max(1, len(verdict.counted))
    return abs(there - len(verdict.counted))


def _picture(verdict: CrystalVerdict) -> Picture:
    crystals = verdict.truth.crystals
    true = crystals.boxes[~crystals.ignored]
    picture = with_crystals(verdict.known, true, _boxes(verdict.counted), verdict.height_px)
    there = (
        f"{len(true)} crystals"
        if verdict.objects is not None
        else ("no crystals", "crystals")[bool(verdict.has_crystals)]
    )
    return Picture(picture, (f"{there}, {len(verdict.counted)} counted", verdict.known.name))


def _boxes(crystals: Sequence[Crystal]) -> list[tuple[float, ...]]:
    return [each.box for each in crystals]
