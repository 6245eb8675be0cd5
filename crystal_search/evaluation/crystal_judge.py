"""Detectors of single crystals judged on images whose crystals are known one by one."""

from collections.abc import Iterator, Mapping, Sequence

from crystal_search.crystal import Crystal
from crystal_search.crystals.finding import find_crystals
from crystal_search.datasets.packed import sampled
from crystal_search.errors import ImageError, UserError
from crystal_search.evaluation.crystal_figures import CrystalVerdict, crystal_figures
from crystal_search.evaluation.judge import Chapter, Contender, Figure, Judged, Options
from crystal_search.evaluation.known_images import KnownImage, Truth
from crystal_search.evaluation.page_parts import Gallery, Picture, Section
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
COLUMNS = ("network", "image", "source", "crystals_there", "crystals_found")

Verdicts = tuple[CrystalVerdict, ...]


class CrystalJudge:
    """Judges detectors on the images whose crystals are known."""

    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> Verdicts:
        """Return what the detector says of each image.

        Raises
        ------
        UserError
            If nobody says of any image which crystals it has, or an image cannot be read.
        """
        known = [each for each in truth.images if each.objects is not None]
        if not known:
            raise UserError(f"nobody says of {truth.name} which crystals there are, one by one (docs/crystals.md)")
        network = OnnxNetwork(in_role(contender.model, CrystalCard), threads=options.threads)
        return tuple(verdict_of(each, network) for each in sampled(known, options.wells))

    def figures(self, verdicts: Verdicts) -> Mapping[str, Sequence[Figure]]:
        """Return how well crystals are found."""
        return {"crystals": crystal_figures(verdicts)}

    def chapter(self, judged: Sequence[Judged[Verdicts]], truth: Truth, options: Options) -> Chapter:
        """Return how many crystals were found in each image, and the images whose count is farthest off."""
        rows = (
            (each.name, found.known.name, found.known.source, len(found.lengths_px), len(found.counted))
            for each in judged
            for found in each.verdicts
        )
        parts = [part for each in judged for part in _parts(each)]
        return Chapter(sections=(Section("Crystals", (ABOUT, *parts)),), tables=(table("crystals", COLUMNS, rows),))


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
        objects=known.objects() if known.objects else (),
        found=find_crystals(image, detector, least_probability=LEAST_PROBABILITY),
        least_probability=detector.card.least_probability,
    )


def _parts(judged: Judged[Verdicts]) -> Iterator[str | Gallery]:
    there, found = (
        sum(counts) for counts in zip(*((len(v.lengths_px), len(v.counted)) for v in judged.verdicts), strict=True)
    )
    yield f"{judged.name}: {len(judged.verdicts)} images, {there} crystals, {found} counted."
    worst = sorted(judged.verdicts, key=lambda each: -abs(len(each.lengths_px) - len(each.counted)))[:WORST]
    yield f"The {len(worst)} images whose count is farthest off. {KEY}"
    yield Gallery(tuple(_picture(each) for each in worst))


def _picture(verdict: CrystalVerdict) -> Picture:
    crystals = verdict.truth.crystals
    true = crystals.boxes[~crystals.ignored]
    picture = with_crystals(verdict.known, true, _boxes(verdict.counted), verdict.height_px)
    return Picture(picture, (f"{len(true)} crystals, {len(verdict.counted)} counted", verdict.known.name))


def _boxes(crystals: Sequence[Crystal]) -> list[tuple[float, ...]]:
    return [each.box for each in crystals]
