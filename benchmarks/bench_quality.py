"""Quality on the demo plate, and on real wells where a folder of them is named."""

import os
from pathlib import Path

import numpy as np

from benchmarks.table import Row
from crystal_search.evaluation.image_verdicts import image_verdicts
from crystal_search.evaluation.known_images import demo_truth
from crystal_search.images import decode
from crystal_search.model import default_models, default_models_folder
from crystal_search.outcomes import BY_NAME, Group, outcome_named
from crystal_search.scoring.pipeline import Models, loaded, score_image
from crystal_search.work_unit import Parameters

REAL = "CRYSTAL_SEARCH_REAL_WELLS"  #: names a folder with TeXRank, formulatrix_pipe and xchem-chimp below it


def demo_plate() -> list[Row]:
    """Return agreement in group and class, and the drop's overlap, on the 96 demo wells."""
    verdicts = image_verdicts(demo_truth().images, default_models(default_models_folder()), Parameters())
    groups = sum(each.called is each.known.group for each in verdicts)
    classes = sum(each.score.outcome == each.known.outcome for each in verdicts)
    overlaps = [each.overlap or 0.0 for each in verdicts]
    count, mean, right = len(verdicts), float(np.mean(overlaps)), groups / len(verdicts)
    return [
        Row("demo plate, right group", f"{groups} of {count} ({right:.1%})", ">= 95 %", right >= 0.95),
        Row("  right class of 13", f"{classes} of {count} ({classes / count:.1%})"),
        Row("  drop, mean IoU", f"{mean:.3f}", ">= 0.9", mean >= 0.9),
        Row("  drop, worst IoU", f"{min(overlaps):.3f}"),
    ]


def _drops_and_crystals(paths: list[Path], models: Models) -> tuple[int, int]:
    images = (decode(path.read_bytes(), at_least_width_px=models.decode_width_px) for path in paths)
    scores = [score_image(image, models, Parameters()) for image in images]
    crystals = sum(each.outcome in BY_NAME and outcome_named(each.outcome).group is Group.CRYSTAL for each in scores)
    return sum(each.drop is not None for each in scores), crystals


def real_wells(folder: Path, models: Models) -> list[Row]:
    """Return how many drops are found in real wells, how many empty wells are empty, who is called crystal."""
    found = []
    for name, pattern in (
        ("TeXRank, crystal-free drops", "TeXRank/**/SubwellImages/**/*.jpg"),
        ("formulatrix_pipe, empty wells", "formulatrix_pipe/**/*.jpg"),
        ("xchem-chimp, crystal wells", "xchem-chimp/tests/**/*.jpg"),
    ):
        paths = sorted(folder.glob(pattern))
        drops, crystals = _drops_and_crystals(paths, models)
        found.append(Row(f"real: {name}", f"{drops} of {len(paths)} with a drop, {crystals} called crystal"))
    return found


def rows() -> list[Row]:
    """Return every figure of this module."""
    models = loaded(default_models(default_models_folder()))
    found = demo_plate()
    if folder := os.environ.get(REAL):
        return found + real_wells(Path(folder), models)
    return [*found, Row("real wells", f"not measured: {REAL} names no folder")]
