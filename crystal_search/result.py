"""What the client answers: one image's score, and the result file of a work unit, version 3.

The format is described in docs/result.md; `result_reader` reads it. All positions are in stored pixels of the
image, rows before columns.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from crystal_search.crystal import Crystal, Uncounted
from crystal_search.features import Features, as_text, unpacked
from crystal_search.files import write_whole
from crystal_search.geometry import Box
from crystal_search.group_rule import doubt_of, group_probabilities
from crystal_search.model import ModelRef
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES, UNSURE, Group, outcome_named
from crystal_search.result_crystals import crystal_of, plain_crystals, plain_uncounted

RESULT_FORMAT, RESULT_VERSION = "crystal-search result", 3
RESULT_FILE = "result.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRegion:
    """Where the liquid is in the image."""

    box: Box  #: stored pixels
    area_fraction: float  #: of the image, in (0, 1]
    outline: tuple[tuple[int, int], ...]  #: closed polygon of (row, column) in stored pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class BestChop:
    """One of the chops that speak most for the score."""

    box: Box  #: stored pixels
    outcome: str  #: the most probable outcome of the score's group in this chop
    probability: float  #: of the score's group in this chop, in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedScore:
    """The outcome of a whole image by the ranking of Thielmann et al. (2023), section 3.1."""

    outcome: str  #: a name in ``outcomes.OUTCOMES``
    probability: float  #: of the outcome's group in the best chop, in [0, 1]
    above_threshold: bool  #: False: no group reached the threshold, this is only the likeliest

    @property
    def group(self) -> Group:
        """The outcome's group."""
        return outcome_named(self.outcome).group


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """The picture with frames, a file beside the result."""

    file: str  #: relative to the result file
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageScore:
    """Everything the client found out about one image."""

    height_px: int  #: as stored; 0 when the image could not be read
    width_px: int
    error: str | None = None  #: why the image could not be read
    drop: DropRegion | None = None
    score: RankedScore | None = None  #: None without a drop
    class_probabilities: tuple[float, ...] = ()  #: mean over chops, in class order, sums to 1; () without a score
    group_peaks: tuple[float, ...] = ()  #: each group's probability in its best chop, in GROUPS order
    best_chops: tuple[BestChop, ...] = ()
    chops: int = 0  #: number of chops that were scored
    looks: int = (
        0  #: 1: a first look's score, 2: it left the image to the classifier; 0: nobody looked first, or no score
    )
    second_opinion: tuple[float, ...] = ()  #: of a classifier of whole images, in class order; () without one
    crystals: tuple[Crystal, ...] | None = None  #: one by one, the most probable first; None: not searched for
    uncounted: tuple[Uncounted, ...] | None = None  #: crystals that do not count, the same way; None: not told
    packed_features: bytes = field(
        default=b"", repr=False
    )  #: as ``features.packed`` has them; b"" where there are none
    seconds: dict[str, float] = field(default_factory=dict)  #: wall time by step

    @property
    def outcome(self) -> str:
        """The outcome's name, ``no_drop``, or ``unreadable``."""
        if self.error is not None:
            return "unreadable"
        return self.score.outcome if self.score else "no_drop"

    @property
    def features(self) -> Features | None:
        """Numbers of the classifier's middle, mean over the drop, float16; None where there are none."""
        return unpacked(self.packed_features) if self.packed_features else None

    @property
    def second_group(self) -> Group | None:
        """The group that the second opinion finds likeliest; None without one."""
        if not self.second_opinion:
            return None
        shares = group_probabilities(self.second_opinion)
        return GROUPS[shares.index(max(shares))]

    @property
    def counted_as(self) -> str:
        """A group, ``unsure`` where none reached the threshold, ``no_drop`` or ``unreadable``: for summaries.

        Below the threshold the outcome is only the likeliest, and counts nowhere as if it had been found.
        """
        if self.error is not None or self.score is None:
            return self.outcome
        return str(self.score.group) if self.score.above_threshold else UNSURE

    @property
    def probability(self) -> float | None:
        """Of the outcome's group in the best chop, None without a score."""
        return self.score.probability if self.score else None

    @property
    def above_threshold(self) -> bool:
        """Whether that probability reached the threshold."""
        return self.score is not None and self.score.above_threshold

    @property
    def doubt(self) -> float:
        """How far from sure it is that the score's group counts, as `group_rule.doubt_of`; 1 without a score."""
        if self.score is None:
            return 1.0
        return doubt_of(self.score.group, self.group_peaks, above_threshold=self.score.above_threshold)

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each outcome, mean over the chops; empty without a score."""
        return dict(zip(OUTCOME_NAMES, self.class_probabilities, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """One image of a work unit with its score."""

    id: str  #: as in the work unit
    sha256: str  #: of the image file that was scored
    score: ImageScore
    overlay: Overlay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a client returns for a work unit."""

    work_unit: str
    client_version: str
    models: tuple[ModelRef, ...]  #: that it was scored with, by role
    images: tuple[ImageResult, ...]


def image_score_of(plain: dict[str, Any]) -> ImageScore:
    """Return the score that the ledger keeps as JSON, without features; `result_reader` reads what others wrote."""
    drop, score, crystals, uncounted = plain["drop"], plain["score"], plain.get("crystals"), plain.get("uncounted")
    if drop:
        outline = tuple(map(tuple, drop["outline"]))
        drop = DropRegion(box=Box(*drop["box"]), area_fraction=drop["area_fraction"], outline=outline)
    return ImageScore(
        **plain
        | {
            "drop": drop,
            "score": RankedScore(**score) if score else None,
            "class_probabilities": tuple(plain["class_probabilities"]),
            "group_peaks": tuple(plain["group_peaks"]),
            "second_opinion": tuple(plain.get("second_opinion", ())),
            "crystals": None if crystals is None else tuple(map(crystal_of, crystals)),
            "uncounted": None if uncounted is None else tuple([Uncounted(**each) for each in uncounted]),
            "best_chops": tuple([_best_chop(**chop) for chop in plain["best_chops"]]),
        }
    )


def _best_chop(box: list[int], outcome: str, probability: float) -> BestChop:
    return BestChop(box=Box(*box), outcome=outcome, probability=probability)


def image_result_to_json(result: ImageResult) -> str:
    """Return one image's result as one line of text, as a checkpoint keeps it."""
    return json.dumps(_plain_image(result), ensure_ascii=False, allow_nan=False)


def result_to_json(result: Result) -> str:
    """Return the result as the text of its file, probabilities with six decimals."""
    told = _plain(asdict(replace(result, images=())))
    content = {"format": RESULT_FORMAT, "version": RESULT_VERSION} | told
    content["images"] = [_plain_image(image) for image in result.images]
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _plain_image(image: ImageResult) -> dict[str, Any]:
    """Return an image's result as JSON has it: features as one text, what only some models say only if they did."""
    plain: dict[str, Any] = _plain(asdict(image))
    text = as_text(image.score.packed_features) if image.score.packed_features else None
    told = {"features" if key == "packed_features" else key: each for key, each in plain["score"].items()}
    for optional in ("second_opinion", "looks"):
        if not told[optional]:
            del told[optional]
    if told.pop("crystals") is not None:
        told["crystals"] = plain_crystals(image.score.crystals or ())
    if told.pop("uncounted") is not None:
        told["uncounted"] = plain_uncounted(image.score.uncounted or ())
    return plain | {"score": told | {"features": text}}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return round(value, 6) if isinstance(value, float) else value


def write_result(result: Result, folder: Path) -> Path:
    """Write ``result.json`` into `folder` whole or not at all, and return its path."""
    path = folder / RESULT_FILE
    write_whole(path, result_to_json(result))
    return path
