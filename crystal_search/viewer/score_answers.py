"""What programs get of scores: one record each, by people and machines."""

from typing import Annotated, Literal, TypedDict

from crystal_search.viewer.field_kinds import SHARE, Count, HandOutcome, Outcome, Time


class PersonScore(TypedDict):
    """A person's score."""

    id: Annotated[int, "of the score, by which it is taken back"]
    outcome: HandOutcome
    person: str
    comment: str
    scored_at: Time


class EarlierScore(PersonScore):
    """A person's score of an earlier inspection."""

    inspection: int


class ListedPersonScore(PersonScore):
    """A person's score in the list of all."""

    by: Annotated[Literal["person"], "who gave it"]
    counts: Annotated[bool, "whether it was not taken back"]
    taken_back_at: Annotated[Time | None, "when its person took it back"]


class MachineAnswer(TypedDict):
    """What a machine answered."""

    outcome: Outcome
    above_threshold: bool
    group_peaks: Annotated[list[float], "`p_GROUP` of the four groups in their order"]


class EarlierAnswer(MachineAnswer):
    """What a machine answered at an earlier inspection."""

    inspection: int


class MachineScore(MachineAnswer):
    """A machine's score."""

    readout: str | None
    probability: Annotated[float, SHARE] | None
    class_probabilities: Annotated[list[float], "`mean_OUTCOME` of the 13 outcomes in their order"]
    threshold: float
    recipe: Annotated[str, "the `id` of the recipe that it was made by"]
    p_crystal: Annotated[float, SHARE] | None
    looks: Annotated[int, "1: a first look was sure and counts, 2: the classifier looked after it, 0: neither"]
    crystals_found: Annotated[Count | None, "crystals that were found one by one; null: nobody looked for them"]
    longest_px: float | None
    scored_at: Time
    drop_box: Annotated[list[float] | None, "top, left, bottom and right of the drop, as parts of the image"]
    aspect: Annotated[float | None, "width of the image by its height"]


class Model(TypedDict):
    """A model that played a role."""

    role: Annotated[str, "`classifier`, `first_look`, `drop`, `image`, `crystals` or `readout`"]
    name: Annotated[str, "what people call it"]
    sha256: Annotated[str, "hash of its file"]


class BestChop(TypedDict):
    """A chop that speaks most for the score."""

    box: Annotated[list[int], "top, left, bottom and right, stored pixels, half-open"]
    outcome: Outcome
    probability: Annotated[float, SHARE]


class FoundCrystal(TypedDict):
    """A crystal that the machine found in an image."""

    crystal: int
    probability: Annotated[float, SHARE]
    centre_row_px: float
    centre_column_px: float
    long_px: float
    short_px: float
    angle_degrees: float
    area_px2: float
    middle_row_px: float
    middle_column_px: float
    cut_off: bool
    faint: bool | None
    long_um: float | None
    short_um: float | None
    outline: Annotated[list[list[float]], "rows and columns of a closed polygon, stored pixels"]


class ListedMachineScore(MachineScore):
    """A machine's score in the list of all, with all that it says."""

    by: Annotated[Literal["machine"], "who gave it"]
    shown: Annotated[bool, "whether it is the one that plates show"]
    counts: Annotated[bool, "whether it is of the picture that the image shows now, and was not taken back"]
    work_unit: str
    models: Annotated[list[Model], "by role"]
    best_chops: list[BestChop]
    crystals: Annotated[list[FoundCrystal] | None, "one by one, the most probable first; null: nobody looked for them"]
    height_px: Annotated[int, "of the stored image; 0 when unreadable"]
    width_px: Annotated[int, "of the stored image; 0 when unreadable"]
    error: str | None
    remarks: Annotated[list[str], "what was overlooked or chosen while it was read"]
    outline: Annotated[list[list[int]] | None, "of the drop: rows and columns of a closed polygon, stored pixels"]
    area_fraction: Annotated[float | None, "part of the image that is drop"]
