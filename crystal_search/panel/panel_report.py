"""What a panel found, as tables and a page: agreement of the experts, test sets, and models on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crystal_search.columns import csv_text
from crystal_search.errors import ImageError, UserError
from crystal_search.evaluation.page_parts import Gallery, Part, Picture, Section
from crystal_search.evaluation.report_page import Report, report_markdown, report_page
from crystal_search.evaluation.tables import Table, csv_of
from crystal_search.panel.consensus import MOSTLY, TEST_SETS, UNAMBIGUOUS, Consensus, Opinions, consensus_of
from crystal_search.panel.machine_answers import MachineAnswers
from crystal_search.panel.panel_set import CLASSES, PanelSet
from crystal_search.panel.panel_tables import (
    confusion_table,
    expert_table,
    kappa_table,
    model_tables,
    pair_table,
    set_table,
)
from crystal_search.panel.rater_agreement import NO_ANSWER
from crystal_search.viewer.thumbnails import small_jpeg
from crystal_search.whole_folders import whole_folder

PAGE, MARKDOWN = "index.html", "tables.md"
LABEL_FILES = {UNAMBIGUOUS: "unambiguous.csv", MOSTLY: "mostly-unambiguous.csv"}
LEAST_EXPERTS = 2
SHOWN = 24  #: pictures on which experts disagree, on the page

INTERVALS = (
    "Numbers in brackets are 95 % intervals: had other drops been drawn, the figure would most likely lie between "
    "them. They come from drawing the images again, 1000 times."
)
KAPPA = (
    "Kappa is agreement beyond chance: 1 where all agree, 0 where they agree as often as if each had guessed. Fleiss' "
    "kappa is of all experts together; that of a class tells how well they tell it from the rest."
)
CONFUSED = (
    "How often two experts named two classes for the same image, over all pairs of experts. Where one pair of classes "
    "stands out, talk about what divides them, or judge models on both together."
)
SETS = (
    "Unambiguous are the images that all experts call the same; mostly unambiguous those that more than half call "
    "the same: the test sets of King et al. (2024), Table 4. An image that an expert has not answered is in neither."
)
MODELS = (
    "F1 is the harmonic mean of precision and recall, as in Table 5 of King et al. (2024); the mean is over the "
    "classes. An answer that is no class, such as no drop, is wrong for every image. A model is judged on the images "
    "that it scored."
)
DISAGREE = "No class has more than half of the experts; these images are in no test set."


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Findings:
    """Everything that a report tells."""

    panel: PanelSet
    opinions: Opinions
    consensus: Consensus
    sections: tuple[Section, ...]
    tables: tuple[Table, ...]


def findings(panel: PanelSet, opinions: Opinions, machines: Sequence[MachineAnswers]) -> Findings:
    """Return what a panel found.

    Raises
    ------
    UserError
        If fewer than two experts have answered anything.
    """
    if len(opinions.experts) < LEAST_EXPERTS:
        raise UserError(
            f"{len(opinions.experts)} experts have answered; agreement takes {LEAST_EXPERTS}: invite more, and wait"
        )
    consensus = consensus_of(opinions)
    people, pairs, kappas = expert_table(opinions), pair_table(opinions), kappa_table(opinions, consensus)
    confused, sets = confusion_table(opinions), set_table(consensus)
    f1, rates = model_tables(consensus, machines)
    sections = (
        Section("How far the experts agree", (INTERVALS, KAPPA, kappas, pairs, people)),
        Section("What one expert calls so and another otherwise", (CONFUSED, confused)),
        Section("Test sets", (SETS, sets)),
        *([Section("Models", (MODELS, f1))] if machines else []),
    )
    tables = (people, pairs, kappas, confused, sets, *([f1, rates] if machines else []))
    return Findings(panel=panel, opinions=opinions, consensus=consensus, sections=sections, tables=tables)


def write_report(found: Findings, panel_folder: Path, out: Path, command: str) -> Path:
    """Write page, tables and test sets to the folder `out`, whole or not at all; return the page's path.

    Raises
    ------
    UserError
        If `out` holds something already, or the disk is full.
    """
    gallery = disagreed(found, panel_folder)
    sections = [*found.sections, *([Section("Images on which nobody agrees", (DISAGREE, gallery))] if gallery else [])]
    files = [f"{each.name}.csv" for each in found.tables]
    report = Report(
        title=f"{found.panel.name}: what {len(found.opinions.experts)} experts say",
        about=f"{len(found.panel.images)} images, drawn {found.panel.drawn_at[:10]}, each of another drop.",
        said=sentences(found),
        sections=sections,
        files=[*files, *LABEL_FILES.values(), "answers.csv", MARKDOWN],
        command=command,
    )
    with whole_folder(out) as part:
        for each in found.tables:
            (part / f"{each.name}.csv").write_text(csv_of(each), encoding="utf-8")
        for name, file in LABEL_FILES.items():
            (part / file).write_text(labels_csv(found, name), encoding="utf-8")
        (part / "answers.csv").write_text(answers_csv(found), encoding="utf-8")
        (part / MARKDOWN).write_text(report_markdown(report.about, sections), encoding="utf-8")
        (part / PAGE).write_text(report_page(report), encoding="utf-8")
    return out / PAGE


def sentences(found: Findings) -> list[str]:
    """Return what people should know first."""
    whole, sets = int(found.opinions.answered.sum()), found.consensus.in_set
    counts = [int(sets[name].sum()) for name in TEST_SETS]
    if not whole:
        return ["No image has the answers of all experts yet."]
    return [
        f"All experts answered {whole} of {len(found.panel.images)} images. They agree on {counts[0]} of these "
        f"({counts[0] / whole:.0%}); more than half agree on {counts[1]} ({counts[1] / whole:.0%})."
    ]


def labels_csv(found: Findings, name: str) -> str:
    """Return a test set as ``evaluate --labels`` reads it: the pictures in the panel's folder, and their classes."""
    rows = (
        {"file": image.file, "label": CLASSES[label], "source": image.plate}
        for image, label, there in zip(
            found.panel.images, found.consensus.labels, found.consensus.in_set[name], strict=True
        )
        if there
    )
    return csv_text(("file", "label", "source"), rows)


def answers_csv(found: Findings) -> str:
    """Return every first answer, a row for each expert and image, with where the image is from."""
    columns = ("file", "path", "plate", "well", "drop", "inspection", "person", "answer")
    rows = (
        {**{name: getattr(image, name) for name in columns[:6]}, "person": person, "answer": CLASSES[answer]}
        for person, answers in zip(found.opinions.experts, found.opinions.first, strict=True)
        for image, answer in zip(found.panel.images, answers, strict=True)
        if answer != NO_ANSWER
    )
    return csv_text(columns, rows)


def disagreed(found: Findings, folder: Path) -> Part | None:
    """Return pictures of the first images on which no class has more than half of the experts."""
    places = np.flatnonzero(found.opinions.answered & ~found.consensus.in_set[MOSTLY])[:SHOWN]
    return Gallery(tuple(_picture(found, int(at), folder) for at in places)) if len(places) else None


def _picture(found: Findings, at: int, folder: Path) -> Picture:
    image, said = found.panel.images[at], found.opinions.first[:, at]
    try:
        jpeg = small_jpeg((folder / image.file).read_bytes())
    except (OSError, ImageError):
        jpeg = b""
    answers = ", ".join(
        f"{person}: {CLASSES[answer]}" for person, answer in zip(found.opinions.experts, said, strict=True)
    )
    return Picture(jpeg, (f"{image.plate} {image.well}, drop {image.drop}", answers))
