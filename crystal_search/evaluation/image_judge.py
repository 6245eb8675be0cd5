"""Classifiers judged on whole images: with the drop locator that goes with them, by the function that scores."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from crystal_search.bootstrap import Interval
from crystal_search.datasets.packed import sampled
from crystal_search.errors import UserError
from crystal_search.evaluation import paper
from crystal_search.evaluation.image_figures import classifier_figures, drop_figures
from crystal_search.evaluation.image_tables import (
    JudgedImages,
    Verdicts,
    confusion_of_images,
    group_table,
    image_confusion_table,
    image_table,
    looking_of,
    looking_table,
    needed_table,
    source_table,
    success_rates,
    table_3,
    table_5,
)
from crystal_search.evaluation.image_verdicts import ImageVerdict, image_verdicts, with_companions
from crystal_search.evaluation.images_to_look_at import Looking
from crystal_search.evaluation.judge import Chapter, Contender, Figure, Judged, Options
from crystal_search.evaluation.known_images import Truth
from crystal_search.evaluation.page_parts import Folded, Gallery, Links, Part, Picture, Plot, Section
from crystal_search.evaluation.page_pictures import framed, jpeg_of
from crystal_search.evaluation.plots import confusion_plot, looking_plot, success_plot, threshold_plot
from crystal_search.evaluation.tables import Table
from crystal_search.evaluation.whole_image_verdicts import whole_image_verdicts
from crystal_search.images import contact_sheet
from crystal_search.model import in_role
from crystal_search.model_card import ImageCard
from crystal_search.outcomes import BY_NAME, GROUPS, NO_DROP, Group
from crystal_search.work_unit import Parameters

NAMED = 20  #: images that a warning names
SHOWN = 48  #: mistakes of a kind and a network on the page
CELLS, COLUMNS = 96, 12  #: of a contact sheet: how many pictures, how many in a row

LOOKING = (
    "Somebody looks through the images in order, those first whose best chop speaks most for a crystal; the higher a "
    "line rises on the left, the fewer images have to be looked at."
)
SOURCES = (
    "AUROC: how often an image with crystals has a higher crystal score than one without. Over several sources it can "
    "flatter: where one source has only crystals and another none, what tells the sources apart tells the images "
    "apart. Look at the rows of sources that have both."
)
WHOLE = (
    "Each image goes through everything that scores it in earnest: the drop is found, its chops are scored, and the "
    "first group, in the order crystal, precipitate, other, clear, that reaches the threshold in some chop counts. A "
    "drop that was not found, or an image that cannot be read, counts as wrong. The mean is weighted by how frequent "
    "the groups are."
)
CONFUSED = (
    "A row is what people say, a column what the network says; the darker a field, the larger its share of the row. "
    "Precision: of the images called so, how many are. Recall: of those that are, how many are called so. F1: the "
    "harmonic mean of both."
)
SHEETS = (
    "Contact sheets of all images, to count the drops that are well outlined. The frame has the colour of the answer; "
    "the letter says the same, and the number is the crystal score."
)
F1 = (
    "F1 of each group and their mean. A classifier of whole images answers with its likeliest group at every "
    "threshold above 50 %."
)
EXPERTS = "Measured on 632 images on which three experts agree, and 949 on which two do; for orientation only."
OTHERS = "Measured on other images (2400 of 16 plates); for orientation only."


class ImageJudge:
    """Judges classifiers on whole images, those of chops and those of whole images side by side."""

    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> Verdicts:
        """Return what the classifier says of each image; of chops, with the models that it is used with.

        Raises
        ------
        UserError
            If there are no whole images.
        """
        if not truth.images:
            raise UserError(f"{truth.name} has no whole images; name something that has")
        if isinstance(contender.model.card, ImageCard):
            model = in_role(contender.model, ImageCard)
            return whole_image_verdicts(sampled(truth.images, options.wells), model, threads=options.threads)
        models = with_companions(contender.model, contender.companions)
        images = sampled(truth.images, options.wells)
        parameters = Parameters(threshold=options.threshold)
        return image_verdicts(images, models, parameters, threads=options.threads, workers=options.workers)

    def figures(self, verdicts: Verdicts) -> Mapping[str, Sequence[Figure]]:
        """Return figures of the classifier and of the drop locator that was used with it, if there was one."""
        figures = {verdicts[0].role: classifier_figures(verdicts)}
        return figures | {"drop": drop_figures(verdicts)} if verdicts[0].asks_for_drop else figures

    def chapter(self, judged: JudgedImages, truth: Truth, options: Options) -> Chapter:
        """Return tables, plots and mistakes."""
        curves = [(each.name, looking_of(each.verdicts)) for each in judged]
        threes, groups = table_3(judged, options.thresholds), group_table(judged, options.threshold)
        fives = table_5(judged, options.threshold)
        sources, needed = source_table(judged), needed_table(curves)
        several = len({each.known.source for each in judged[0].verdicts}) > 1
        sheets = dict(_sheets(judged)) if truth.sheets else {}
        return Chapter(
            sentences=tuple(_sentence(each, curve, options) for each, (_, curve) in zip(judged, curves, strict=True)),
            warnings=tuple(_warnings(judged[0].verdicts)),
            sections=(
                *([Section("By source", (SOURCES, sources))] if several else []),
                Section("How many images must a person look at?", (LOOKING, *_looking_plots(curves), needed)),
                Section("Whole images: how often is the group right?", tuple(_rates(judged, threes, options))),
                Section("What is taken for what", (CONFUSED, *_confusions(judged, options), groups)),
                Section(
                    "F1 of the groups",
                    (F1, fives, Folded(f"The same table in {paper.CHIMP}", (EXPERTS, paper.TABLE_5))),
                ),
                *([Section("Outlines", (SHEETS, Links(tuple(sheets))))] if sheets else []),
                *_mistakes(judged, options),
            ),
            tables=(
                *(sources, threes, fives, groups, image_confusion_table(judged, options.threshold)),
                *(needed, looking_table(curves), image_table(judged, options.threshold)),
            ),
            files=sheets,
        )


def _shown_threshold(options: Options) -> float:
    """Return the threshold nearest to the one that is used."""
    return min(options.thresholds, key=lambda each: abs(each - options.threshold))


def _sentence(judged: Judged[Verdicts], curve: Looking, options: Options) -> str:
    threshold = _shown_threshold(options)
    crystal, *_, mean = success_rates(judged.verdicts, threshold)
    if np.isnan(mean.value):
        return f"{judged.name}: nobody knows the group of these images."
    at = f"at a threshold of {100 * threshold:g} %"
    said = f"{judged.name} puts {_percent(mean)} of the images into the right group {at}"
    if np.isnan(curve.needed.value):
        return f"{said}; there are no crystal wells to find."
    return (
        f"{said} and finds {_percent(crystal)} of the crystals. To find 90 % of the crystal wells, "
        f"look at {_percent(curve.needed)} of the images."
    )


def _percent(figure: Interval) -> str:
    if np.isnan(figure.low):
        return f"{100 * figure.value:.0f} %"
    return f"{100 * figure.value:.0f} % ({100 * figure.low:.0f}–{100 * figure.high:.0f})"


def _warnings(verdicts: Verdicts) -> Iterator[str]:
    absent = [group for group in GROUPS if all(each.known.group is not group for each in verdicts)]
    if 0 < len(absent) < len(GROUPS):
        yield f"No whole image is {' or '.join(absent)}: its cells are empty."
    lost = sum(each.known.group is not None and each.score.outcome == NO_DROP for each in verdicts)
    if lost:
        yield f"Images with a drop in which none was found: {lost}. They count as wrong, whatever the network."
    if unreadable := [each.known.name for each in verdicts if not each.readable]:
        more = "" if len(unreadable) <= NAMED else " and others, which wells.csv names"
        yield f"Not readable: {len(unreadable)}. They count as wrong: {', '.join(unreadable[:NAMED])}{more}."
    empty = [each for each in verdicts if each.known.empty]
    if empty and _asks_for_drops(verdicts):
        right = sum(each.score.outcome == NO_DROP for each in empty)
        yield f"{len(empty)} wells hold no drop and are in no success rate; {right} were reported empty."


def _asks_for_drops(verdicts: Verdicts) -> bool:
    return all(each.asks_for_drop for each in verdicts)


def _looking_plots(curves: Sequence[tuple[str, Looking]]) -> Iterator[Plot]:
    if any(curve.crystal_wells for _, curve in curves):
        yield Plot(looking_plot(curves), "Crystal wells found against images looked at")


def _rates(judged: JudgedImages, threes: Table, options: Options) -> Iterator[Part]:
    yield WHOLE
    names, thresholds = [each.name for each in judged], options.thresholds
    rows = [success_rates(each.verdicts, _shown_threshold(options)) for each in judged]
    if not all(np.isnan(row[-1].value) for row in rows):
        yield Plot(success_plot(names, [*map(str, GROUPS), "weighted mean"], rows), "Success rates by group")
    yield threes
    if len(thresholds) > 1:
        yield "A lower threshold finds more crystals and takes more for crystals that is none:"
        rates = [np.array([success_rates(each.verdicts, at) for at in thresholds])[:, :, 0] for each in judged]
        lines = [(name, each[:, 0], each[:, -1]) for name, each in zip(names, rates, strict=True)]
        yield Plot(threshold_plot(thresholds, lines), "Success rate against threshold")
    yield Folded(f"The same table in {paper.SOURCE}", (OTHERS, paper.TABLE_3))


def _confusions(judged: JudgedImages, options: Options) -> Iterator[Part]:
    """Yield plots of groups; with wells that hold no drop where there are some."""
    for each in judged:
        counts = confusion_of_images(each.verdicts, options.threshold)
        groups = list(map(str, GROUPS))
        told = [*groups, "no drop"] if counts[-1].any() else groups
        plot = confusion_plot(counts[: len(told)], told, [*groups, "no drop"])
        yield f"{each.name}, at a threshold of {100 * options.threshold:g} %:"
        yield Plot(plot, f"Confusion of groups, {each.name}")


def mistakes(verdicts: Sequence[ImageVerdict], threshold: float) -> dict[str, list[ImageVerdict]]:
    """Return the images about which models are wrong at `threshold`, by kind, the worst first."""
    readable = [each for each in verdicts if each.readable and each.known.label]
    called = [each for each in readable if each.answer(threshold) is Group.CRYSTAL and not each.known.crystal]
    missed = [each for each in readable if each.answer(threshold) is not Group.CRYSTAL and each.known.crystal]
    drops = readable if _asks_for_drops(tuple(verdicts)) else []
    return {
        "Crystals missed": sorted(missed, key=lambda each: (each.crystal_peak, each.known.name)),
        "Called crystal without one": sorted(called, key=lambda each: (-each.crystal_peak, each.known.name)),
        "Drops not found": [each for each in drops if not each.known.empty and not each.drop_found],
        "Drops found in empty wells": [each for each in drops if each.known.empty and each.drop_found],
    }


def _mistakes(judged: JudgedImages, options: Options) -> Iterator[Section]:
    found = [(each.name, mistakes(each.verdicts, options.threshold)) for each in judged]
    for kind in found[0][1]:
        if any(wrong[kind] for _, wrong in found):
            yield Section(kind, tuple(part for name, wrong in found for part in _wrong(name, wrong[kind])))


def _wrong(network: str, wrong: Sequence[ImageVerdict]) -> Iterator[Part]:
    shown = f"; the worst {SHOWN} are shown" if len(wrong) > SHOWN else ""
    yield f"{network}: {len(wrong)} images{shown}. Look at them: some may be scored wrongly by people."
    yield Gallery(tuple(_picture(each) for each in wrong[:SHOWN]))


def _picture(verdict: ImageVerdict) -> Picture:
    known, answer = verdict.known, verdict.score.outcome
    where = " in its best chop" if verdict.asks_for_drop else ""
    lines = (
        f"{_label(known.label)} → {_label(answer)}",
        f"crystal{where}: {100 * verdict.crystal_peak:.0f} %",
        f"{known.source}: {known.name}",
    )
    return Picture(jpeg_of(framed(verdict)), lines)


def _label(answer: str) -> str:
    return BY_NAME[answer].label if answer in BY_NAME else answer.replace("_", " ").capitalize()


def _sheets(judged: JudgedImages) -> Iterator[tuple[str, bytes]]:
    """Yield the contact sheets of each network and source, by name."""
    for each in judged:
        prefix = f"{each.name}-" if len(judged) > 1 else ""
        for source in dict.fromkeys(verdict.known.source for verdict in each.verdicts):
            mine = [verdict for verdict in each.verdicts if verdict.known.source == source]
            name = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{prefix}{source}")
            for number, start in enumerate(range(0, len(mine), CELLS), start=1):
                cells = [framed(verdict) for verdict in mine[start : start + CELLS]]
                yield f"outlines-{name}-{number}.png", contact_sheet(cells, COLUMNS)
