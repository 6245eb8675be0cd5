"""The columns of every CSV file that people get: one vocabulary, told in docs/columns.md.

Names in capital letters stand for several: ``p_GROUP`` for ``p_crystal`` and the other groups. A column that a file
has twice, for a machine's score and a person's, begins with ``auto_`` or ``manual_``, that of a readout with
``readout_``; the bounds of an interval end in ``_low`` and ``_high``.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from crystal_search.errors import UnknownNameError
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES
from crystal_search.wells import CHANNELS

Cell = str | int | float | bool | None
Kind = Literal["text", "yes/no", "count", "number", "share", "percent", "duration", "time", "taken"]
KINDS: dict[Kind, str] = {
    "text": "text",
    "yes/no": "`yes` or `no`",
    "count": "whole number",
    "number": "number",
    "share": "number from 0 to 1",
    "percent": "number from 0 to 100",
    "duration": "seconds",
    "time": "ISO 8601, UTC",
    "taken": "ISO 8601, by the robot's clock; the day alone where no more is known",
}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_FIRST_LETTERS = frozenset({*FORMULA_STARTS, "'"})
PREFIXES, SUFFIXES = ("auto_", "manual_", "readout_"), ("_low", "_high")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, what its cells are, what they mean."""

    name: str
    kind: Kind
    meaning: str
    heading: str = ""  #: on pages; empty: made of the name
    digits: int = 1  #: after the point, on pages

    @property
    def title(self) -> str:
        """What people read above it, with its unit.

        >>> Column("weighted_mean_percent", "percent", "").title
        'Weighted mean (%)'
        """
        words = self.name.removesuffix("_percent").replace("_", " ")
        return self.heading or words[0].upper() + words[1:] + (" (%)" if self.kind == "percent" else "")


#: What a part of a name in capital letters stands for.
PLACES: dict[str, tuple[str, ...]] = {
    "GROUP": tuple(map(str, GROUPS)),
    "OUTCOME": OUTCOME_NAMES,
    "SIDE": ("top", "left", "bottom", "right"),
    "CHANNEL": CHANNELS[1:],
    "CHOPS": ("train", "validation"),
    "SIZE": ("small", "medium", "large"),
    "EXTENT": ("long_px", "short_px", "long_um", "short_um", "aspect"),
    "UNIT": ("px", "um"),
}

#: Everything by what it is about.
VOCABULARY: dict[str, tuple[Column, ...]] = {
    "Which image": (
        Column("path", "text", "the image file, as it was named"),
        Column("file", "text", "the image file, from the folder of the table or of the photographs"),
        Column("image", "text", "what an archive or a dataset calls the image"),
        Column("score_id", "count", "number of the score in the imaging database; a later one has a higher"),
        Column("image_id", "count", "its number in the imaging database"),
        Column("key", "text", "what a dataset calls the sample"),
        Column("source", "text", "imager, plate or archive that it is from"),
        Column("plate", "text", "barcode of the plate"),
        Column("well", "text", "name of the well, such as `C07`; in datasets unique, with plate and drop"),
        Column("row", "count", "row of the plate, from 1, which is A"),
        Column("column", "count", "column of the plate, from 1"),
        Column("drop", "count", "drop of the well, from 1"),
        Column("inspection", "count", "imaging session, from 1"),
        Column("channel", "text", f"how it was taken: {', '.join(f'`{each}`' for each in CHANNELS)}"),
        Column("imaged_at", "taken", "when it was taken"),
        Column("day", "number", "days since the drop was set up"),
        Column("CHANNEL", "text", "the image file of the same drop in this channel"),
    ),
    "Whose it is and what is in it": (
        Column("project", "text", "project or proposal that the plate belongs to"),
        Column("protein", "text", "what is to crystallize"),
        Column("owner", "text", "person whose plate it is"),
        Column("people", "text", "others who have to do with the plate, with semicolons between"),
        Column("plate_type", "text", "kind of plate, as its maker calls it"),
        Column("condition_name", "text", "what the screen calls the condition: `JCSG+ C7`"),
        Column("condition", "text", "all that is in the well or the drop, as people write it"),
        Column("ingredient", "text", "one part of the condition; all of it where nobody divided it"),
        Column("concentration", "number", "of the ingredient, or of what is dissolved"),
        Column("concentration_unit", "text", "unit of the concentration: `M`, `% w/v`"),
        Column("ph", "number", "of the ingredient"),
        Column("role", "text", "of the ingredient: `buffer`, `salt`, `precipitant`, `additive`, or another word"),
    ),
    "Where to go in it": (
        Column("x_px", "number", "how far from the image's left edge, stored pixels"),
        Column("y_px", "number", "how far from the image's top edge, stored pixels"),
        Column("x_um", "number", "the same as `x_px`, micrometres; empty where the scale is not known"),
        Column("y_um", "number", "the same as `y_px`, micrometres"),
        Column("offset_right_um", "number", "how far to the right of the image's centre, micrometres"),
        Column("offset_up_um", "number", "how far above the image's centre, micrometres"),
        Column("um_per_px", "number", "scale of the image, micrometres a stored pixel"),
        Column(
            "position_from",
            "text",
            "what it is the centre of: `pick mark`, `dispense mark`, `crystal`, `best chop`, `drop`",
        ),
        Column("marked_by", "text", "who marked the position; empty for the machine"),
    ),
    "What it is": (
        Column(
            "outcome",
            "text",
            "one of the 13 outcomes, `no_drop`, `unreadable` or `not_scored`; a score, or the truth of a list",
        ),
        Column("score_number", "count", "score number of the outcome"),
        Column("group", "text", "group of the outcome"),
        Column("truth", "text", "what people say, where `outcome` is what models say"),
        Column("truth_group", "text", "group of the truth"),
        Column("present", "text", "every outcome that is visible somewhere, the most important first"),
        Column("old", "text", "outcome by which the image went"),
        Column("new", "text", "outcome that a person gave it instead"),
        Column("comment", "text", "what the person wrote"),
        Column("opinions", "text", "what each person said last and did not take back, with semicolons between"),
        Column("comments", "text", "what people wrote about the image, a bar between two comments"),
        Column("person", "text", "who scored it"),
        Column("taken_back_at", "time", "when the person took the score back; empty: not"),
        Column(
            "counts", "yes/no", "whether the score is of the picture that the image shows now, and was not taken back"
        ),
        Column("pulled_from", "text", "facility's database that a score came from; empty for one that was given here"),
        Column(
            "remarks", "text", "what was overlooked or chosen while it was read: a page, an orientation, stray bytes"
        ),
        Column("error", "text", "why it could not be read, or not be looked at"),
    ),
    "What models say of it": (
        Column("probability", "share", "of the outcome's group in its best chop"),
        Column("above_threshold", "yes/no", "whether that reached the threshold"),
        Column("second_group", "text", "likeliest group by a classifier of whole images; empty where there is none"),
        Column("second_probability", "share", "of that group, by that classifier"),
        Column("p_GROUP", "share", "of the group in the chop that speaks most for it"),
        Column("mean_OUTCOME", "share", "of the outcome, mean over the chops"),
        Column("drop_found", "yes/no", "whether a drop was found"),
        Column("drop_SIDE", "count", "rectangle around the drop, stored pixels, half-open"),
        Column("drop_share", "share", "part of the image that is drop, by the models"),
        Column("drop_there", "yes/no", "whether there is a drop in truth"),
        Column("drop_share_true", "share", "part of the image that is drop in truth"),
        Column("iou", "share", "intersection over union of drop and mask; 1 for an empty well reported empty"),
        Column("crystals_there", "count", "crystals in truth, but for those that are too faint to be seen"),
        Column("crystals_found", "count", "crystals that were found and are probable enough to count"),
        Column("longest_px", "number", "long side of the longest crystal that was found, stored pixels"),
        Column("longest_um", "number", "the same in micrometres, where the scale of the image is known"),
        Column("detector", "text", "name of the crystal detector"),
        Column("detector_sha256", "text", "hash of its file"),
        Column("classifier", "text", "name of the classifier"),
        Column("classifier_sha256", "text", "hash of its file"),
        Column("drop_sha256", "text", "hash of the drop locator's file"),
        Column("threshold", "share", "probability that a group must reach in a chop"),
        Column("readout", "text", "name of the readout"),
        Column(
            "triage",
            "text",
            "by the readout: `in`: look at it; `out`: no need to; `cannot_promise`: nothing is promised of it",
        ),
        Column("work_unit", "text", "work unit whose result it is"),
        Column("scored_at", "time", "when it was scored"),
        Column("seconds", "duration", "time that scoring took", "Seconds", 3),
    ),
    "What a renderer knows": (
        Column("material", "text", "`protein` or `salt`, where crystals are to come"),
        Column("birefringence", "number", "of the material"),
        Column("fluorescence", "number", "of the material under ultraviolet light"),
        Column("chromophore", "yes/no", "whether the material takes up ultraviolet light"),
        Column("property", "text", "of crystals in suspension: `ratio`, `angle`, `total area by size`"),
        Column("unit", "text", "of the property"),
        Column("from", "number", "where a bin begins"),
        Column("to", "number", "where it ends"),
        Column("found", "number", "crystals in the bin, or their area"),
        Column("intended", "number", "the same, had they been distributed evenly"),
        Column("kolmogorov_smirnov_p", "share", "probability of a distance to the even distribution as large as this"),
    ),
    "Where a dataset keeps it": (
        Column("top", "count", "of the chop in its view, working pixels"),
        Column("left", "count", "of the chop in its view, working pixels"),
        Column("chop_top", "count", "of the chop in its patch"),
        Column("chop_left", "count", "of the chop in its patch"),
        Column("contours", "number", "how much the chop shows"),
        Column("shard", "text", "file of many samples that it lies in"),
        Column(
            "parts",
            "text",
            "where in the shard each of its parts lies: `NAME:OFFSET:SIZE`, in bytes, with spaces between",
        ),
        Column("what", "text", "`image` or `chop`, that was left out"),
        Column("name", "text", "what the archive calls it"),
        Column("reason", "text", "why it was left out"),
        Column("detail", "text", "more about the reason"),
    ),
    "What a panel of experts says": (
        Column("place", "count", "in the order in which this person is shown the images, from 1"),
        Column("answered_at", "time", "when the person answered"),
        Column("label", "text", "class that experts agree on"),
        Column("other_person", "text", "with whom the person is compared"),
        Column("repeated", "count", "images that the person answered twice"),
        Column("self_agreement_percent", "percent", "of these, how many got the same answer", "Same answer again (%)"),
        Column("agreement_percent", "percent", "images that both call the same"),
        Column("kappa", "number", "agreement beyond chance, at most 1", "", 3),
        Column("test_set", "text", "`unambiguous`: all experts agree; `mostly unambiguous`: more than half do"),
        Column("unambiguous_images", "count", "images on whose class all experts agree"),
        Column("mostly_unambiguous_images", "count", "images on whose class more than half of the experts agree"),
        Column("f1_GROUP", "share", "harmonic mean of precision and recall of the group", "", 3),
        Column("f1_mean", "share", "mean of these over the groups", "F1, mean", 3),
    ),
    "Crystals one by one": (
        Column("crystal", "count", "number of the crystal in its image, from 1, the most probable first"),
        Column("centre_row_px", "number", "of its box, stored pixels from the upper edge of the image"),
        Column("centre_column_px", "number", "of its box, stored pixels from the left edge"),
        Column("long_px", "number", "long side of its box, stored pixels"),
        Column("short_px", "number", "short side of its box, stored pixels"),
        Column("angle_degrees", "number", "of the long side, from columns towards rows, from 0 to 180"),
        Column("aspect", "number", "long side over short side"),
        Column("area_px2", "number", "what its outline encloses, square pixels"),
        Column("middle_row_px", "number", "of a point that is always inside its outline"),
        Column("middle_column_px", "number", "of the same point"),
        Column("upright_SIDE", "count", "upright rectangle around the crystal, stored pixels, half-open"),
        Column("cut_off", "yes/no", "whether the border of the image cuts it off"),
        Column("contrast", "number", "how far its light is from its surroundings', as a share of theirs"),
        Column("faint", "yes/no", "whether the contrast is too small to be sure of it; empty: not measured"),
        Column("long_um", "number", "long side in micrometres, where the scale of the image is known"),
        Column("short_um", "number", "short side in micrometres"),
        Column("scale_from", "text", "who says the scale: `told`, `settings`, `file`; empty: nobody"),
        Column("point", "count", "point to shoot at, from 1, on the best crystal first"),
        Column("to_outline_px", "number", "from there to the crystal's outline, stored pixels"),
        Column("to_outline_um", "number", "the same, micrometres"),
        Column("gap_px", "number", "from the crystal to the nearest other one, stored pixels; empty: there is none"),
        Column("gap_um", "number", "the same, micrometres"),
        Column("alone", "yes/no", "whether the gap is wide enough to hit nothing else"),
        Column("candidate", "count", "place to dispense at, from 1, the farthest from everything first"),
        Column("to_crystal_px", "number", "from there to the nearest crystal, stored pixels; empty: there is none"),
        Column("to_crystal_um", "number", "the same, micrometres"),
        Column("to_border_px", "number", "from there to the border of the drop, stored pixels"),
        Column("to_border_um", "number", "the same, micrometres"),
        Column("refused", "text", "why there is no such point"),
        Column("area_um2", "number", "what its outline encloses, square micrometres"),
        Column("first_section", "count", "lowest section of a stack that shows it, from 1"),
        Column("sections", "count", "how many sections show it, one upon the other"),
        Column("height_um", "number", "how high it is: its sections times the step between them, micrometres"),
        Column("volume_um3", "number", "its areas in all sections times the step, cubic micrometres"),
        Column("section_um", "number", "step from section to section, micrometres"),
        Column("image_height_px", "count", "height of the image, stored pixels"),
        Column("image_width_px", "count", "width of the image, stored pixels"),
    ),
    "What was drawn in images": (
        Column("height_px", "count", "rows of the image"),
        Column("width_px", "count", "columns of the image"),
        Column("mask", "text", "picture of the mask, from the folder of the table"),
        Column("object", "count", "number of the object in its image, from 1"),
        Column("annotator", "text", "who drew it; without an object: who looked and drew nothing"),
        Column("too_faint", "yes/no", "whether it is hardly to be seen"),
        Column("crowd", "yes/no", "whether it is one outline around many"),
        Column("objects", "count", "objects that the person drew; in a row of several people, all of them together"),
        Column("other_objects", "count", "objects that the other person drew in the same images"),
        Column(
            "matched",
            "count",
            "objects of both that are the same: intersection over union of their pixels is at least 0.5",
        ),
        Column("mean_iou", "share", "mean intersection over union of those that are the same", "Mean IoU", 3),
    ),
    "Crystals over time": (
        Column("time", "text", "when an image was taken or a sample was: hours, or ISO 8601"),
        Column("hours", "number", "time, since the first image or as a table tells it", "Time (h)", 2),
        Column("hours_before", "number", "the time before, with which it is compared", "Time before (h)", 2),
        Column("frames", "count", "images of that time"),
        Column("crystals", "count", "crystals in them that the border does not cut"),
        Column("crystals_cut_off", "count", "crystals that the border may cut, left out"),
        Column("crystals_a_frame", "number", "crystals in an image, corrected for those that are cut off"),
        Column("area_a_frame_UNIT2", "number", "area of all their boxes in an image, corrected likewise", "", 0),
        Column("EXTENT_lower_quartile", "number", "a quarter of the crystals is smaller, corrected likewise", "", 2),
        Column("EXTENT_median", "number", "half of the crystals are smaller", "", 2),
        Column("EXTENT_upper_quartile", "number", "three quarters of the crystals are smaller", "", 2),
        Column("growth_UNIT_an_hour", "number", "of the long side of the same crystals, since the time before", "", 2),
        Column("times", "count", "times that a trend is of"),
        Column(
            "change_an_hour", "number", "Theil-Sen slope; of the same crystals, the median of pairs of times", "", 3
        ),
        Column("kendall_tau", "number", "rank correlation with time, from -1 to 1", "Kendall's tau", 2),
        Column(
            "mann_kendall_p",
            "share",
            "probability of a trend as clear as this where there is none",
            "Mann-Kendall p",
            4,
        ),
        Column("mann_kendall_p_corrected", "share", "the same, corrected for many tests", "Corrected p", 4),
        Column(
            "pearson",
            "number",
            "correlation with the concentration over times, from -1 to 1",
            "Pearson, concentration",
            3,
        ),
        Column("spearman", "number", "the same of ranks", "Spearman, concentration", 3),
        Column(
            "ks_distance",
            "number",
            "how far apart two distributions are at most (Kolmogorov-Smirnov)",
            "KS distance",
            3,
        ),
        Column("ks_p", "share", "probability of a distance as large as this where there is no difference", "KS p", 4),
        Column("ks_p_corrected", "share", "the same, corrected for many tests", "Corrected p", 4),
        Column("crystals_expected", "number", "crystals of a rendered image that are there by then, in the mean"),
        Column("grown_px", "number", "by how much crystals have grown since the start"),
    ),
    "How good networks are": (
        Column("network", "text", "what the training or model is called"),
        Column("classes", "count", "that it tells apart"),
        Column("model_mb", "number", "its ONNX file, millions of bytes", "Model (MB)"),
        Column("weight_layers", "count", "convolutional and fully connected layers"),
        Column("parameters", "count", "numbers that were learnt"),
        Column("epochs", "number", "times that it saw the training chops"),
        Column("total_s", "duration", "time of the training", "Total time (h:min:s)"),
        Column("epoch_min", "number", "minutes an epoch", "Time per epoch (min)", 2),
        Column("CHOPS_accuracy_percent", "percent", "of these chops, likeliest class is the right one"),
        Column("CHOPS_top5_percent", "percent", "of these chops, right class is among the five likeliest"),
        Column("CHOPS_loss", "number", "mean cross-entropy of these chops, nats", "", 2),
        Column("CHOPS_chops", "count", "how many"),
        Column("threshold_percent", "percent", "probability that a group must reach in a chop", "Threshold (%)", 0),
        Column("GROUP_percent", "percent", "images of the group that got it", ""),
        Column("weighted_mean_percent", "percent", "images that got their group"),
        Column("images", "count", "images that were measured"),
        Column("chops", "count", "chops that were measured"),
        Column("unsure", "count", "images with a drop in which no group reached the threshold; the likeliest counts"),
        Column("no_drop_found", "count", "images with a drop in which none was found"),
        Column("unreadable", "count", "images that could not be read"),
        Column("class", "text", "one of the classes"),
        Column("precision_percent", "percent", "of those called so, how many are"),
        Column("recall_percent", "percent", "of those that are, how many are called so"),
        Column("f1_percent", "percent", "harmonic mean of precision and recall", "F1 (%)"),
        Column("auroc", "share", "how often one that is has a higher probability than one that is not", "AUROC", 3),
        Column("compared", "text", "what of a crystal is compared: `oriented boxes`, `upright boxes` or `masks`"),
        Column("ap", "share", "average precision, mean over overlaps from 0.50 to 0.95", "AP", 3),
        Column("ap50", "share", "average precision at an overlap of 0.50", "AP50", 3),
        Column("ap65", "share", "average precision at an overlap of 0.65", "AP65", 3),
        Column("ap75", "share", "average precision at an overlap of 0.75", "AP75", 3),
        Column("ap_SIZE", "share", "average precision of crystals of that size, mean over these overlaps", "", 3),
        Column("target", "text", "crystals in the insect cells: `clustered` or `long`, as `render cells` calls them"),
        Column(
            "f_pixels_percent",
            "percent",
            "pixels of crystals against pixels of outlines: harmonic mean of precision and recall, mean over images",
            "F of pixels (%)",
        ),
        Column(
            "jaccard_percent",
            "percent",
            "pixels that crystals and outlines share, of all that they cover, mean over images",
            "Jaccard index (%)",
        ),
        Column(
            "count_difference_percent",
            "percent",
            "mean difference between the numbers of crystals that are counted and that are there, of the mean number",
            "Difference in crystals (%)",
        ),
        Column("answer", "text", "class that the network, or a person, named"),
        Column("count", "count", "how often"),
        Column("calibrated", "yes/no", "whether logits were divided by the temperature"),
        Column("temperature", "number", "by which logits are divided", "Temperature", 2),
        Column("confidence_from_percent", "percent", "where a bin of confidence begins"),
        Column("confidence_to_percent", "percent", "where it ends"),
        Column("confidence_percent", "percent", "mean confidence of the answers in it", "Mean confidence (%)"),
        Column("accuracy_percent", "percent", "answers in it that are right"),
        Column("ece_before_percent", "percent", "expected calibration error without temperature", "ECE before (%)"),
        Column("ece_after_percent", "percent", "expected calibration error with it", "ECE after (%)"),
        Column("images_percent", "percent", "images looked at, likeliest crystals first", "Images looked at (%)", 0),
        Column("found_percent", "percent", "wells with crystals found by then", "Crystal wells found (%)"),
        Column(
            "images_needed_percent",
            "percent",
            "images to look at until 90 % of the wells with crystals are found",
            "To find 90 % of the crystal wells, look at (% of the images)",
        ),
        Column("crystal_wells", "count", "wells with crystals"),
        Column("measure", "text", "what is measured"),
        Column("value", "number", "the figure", "", 3),
    ),
}


def _expanded(column: Column) -> Iterable[Column]:
    for place, names in PLACES.items():
        if place in column.name:
            return [replace(column, name=column.name.replace(place, name)) for name in names]
    return [column]


_BY_NAME = {each.name: each for part in VOCABULARY.values() for column in part for each in _expanded(column)}


def column_named(name: str) -> Column:
    """Return the column called `name`, which may have a prefix or a suffix.

    Raises
    ------
    UnknownNameError
        If the vocabulary has none.

    >>> column_named("auto_p_crystal").kind, column_named("f1_percent_low").title
    ('share', 'F1 (%)')
    """
    bare = name
    for prefix, suffix in ((prefix, suffix) for prefix in PREFIXES for suffix in SUFFIXES):
        bare = bare.removeprefix(prefix).removesuffix(suffix)
    if bare not in _BY_NAME:
        raise UnknownNameError(f"no column {name!r} in the vocabulary; choose one of docs/columns.md, or add it there")
    return _BY_NAME[bare]


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula.

    >>> harmless("=HYPERLINK(1)"), harmless("'tis clear")
    ("'=HYPERLINK(1)", "'tis clear")
    """
    may_be_formula = text[:1] in _FIRST_LETTERS  # for most text this is all that is to be looked at
    return f"'{text}" if may_be_formula and text.lstrip("'").startswith(FORMULA_STARTS) else text


def plain(text: str) -> str:
    """Return what was made `harmless`, as it was.

    >>> plain("'=HYPERLINK(1)"), plain("'tis clear")
    ('=HYPERLINK(1)', "'tis clear")
    """
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS) else text


def written(row: Mapping[str, Cell]) -> dict[str, str]:
    """Return the cells of a row as files have them: booleans are yes and no, nothing is empty, text is harmless.

    >>> written({"path": "-x.jpg", "drop_found": True, "day": -1.5, "iou": None})
    {'path': "'-x.jpg", 'drop_found': 'yes', 'day': '-1.5', 'iou': ''}
    """
    return {name: text_of(cell) for name, cell in row.items()}


def text_of(cell: Cell) -> str:
    """Return a cell as files have it."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if isinstance(cell, float) and math.isnan(cell) else str(cell)


def csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """Return the text of a CSV file: a header, and a line for each row, what a row lacks empty."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(map(written, rows))
    return text.getvalue()
