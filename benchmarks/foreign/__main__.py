"""``python -m benchmarks.foreign FOLDER``: render, score, and tell how well crystals are told from the rest."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.foreign.foreign_plates import contact_sheets, render
from benchmarks.foreign.foreign_scores import ForeignScores, scores_of
from benchmarks.foreign.imagers import IMAGERS, TRAINED
from benchmarks.foreign.label_curve import LABELS, Curve, curve_of
from benchmarks.table import Row, table
from crystal_search.adaptation.imager_prior import prior_of
from crystal_search.bootstrap import Interval, drawn
from crystal_search.metrics import Floats, auroc, mean_of
from crystal_search.model import default_models, default_models_folder, features_model

WITHOUT, WITH_TEN, LOSS = 0.90, 0.96, 0.01  #: what should be reached: means, and the most that labels may cost


def separation(scores: ForeignScores) -> Interval:
    """Return the area under the ROC curve of the shipped score, plates drawn again for the interval."""
    draws = drawn(scores.plates.tolist())
    return draws.figure(lambda times: auroc(scores.crystal_peaks, scores.crystal, times))


def recipe_rows() -> Iterator[str]:
    """Yield the imagers as a table in Markdown."""
    yield "| imager | leaves | trained on | it has | picture | JPEG | noise |"
    yield "|---|---|---|---|---|---|---|"
    for each in IMAGERS:
        low, high = TRAINED[each.leaves]
        camera = each.camera
        size = f"{camera.width_px} px"
        yield (
            f"| {each.name} | {each.leaves} | {low:g} to {high:g} | {each.value:g} | {size} | {camera.quality} "
            f"| {camera.noise:g} |"
        )


def rows_of(scores: Mapping[str, ForeignScores], curves: Mapping[str, Curve]) -> list[Row]:
    """Return what was measured, imager by imager, and the means."""
    found = []
    areas = {name: separation(each) for name, each in scores.items()}
    for name, area in areas.items():
        seen = f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
        groups = scores[name].called == scores[name].groups
        found.append(Row(name, f"{seen}; {groups.mean():.3f}; {_curve(curves[name])}"))
    return [*found, *_means([area.value for area in areas.values()], list(curves.values()))]


def _curve(curve: Curve) -> str:
    """Return the means without labels and with them."""
    return f"{curve.without.mean():.3f} -> {_listed(curve.with_labels.mean(axis=0))}"


def _listed(values: Floats) -> str:
    return " ".join(f"{each:.3f}" for each in values)


def _means(areas: Sequence[float], curves: Sequence[Curve]) -> list[Row]:
    without, ten = mean_of(np.array(areas)), LABELS.index(10)
    read = np.mean([each.with_labels.mean(axis=0) for each in curves], axis=0)
    proven = np.mean([each.proven for each in curves], axis=(0, 1))
    worst, as_used = (min(float(each.min()) for each in gains) for gains in _gains(curves))
    return [
        Row("mean without labels", f"{without:.3f}", f">= {WITHOUT}", bool(without >= WITHOUT)),
        Row(f"mean of readouts of {', '.join(map(str, LABELS))} labels", _listed(read)),
        Row("  of 10", f"{read[ten]:.3f}", f">= {WITH_TEN}", bool(read[ten] >= WITH_TEN)),
        Row("worst that readouts do to an imager", f"{worst:+.3f}", f">= {-LOSS}", worst >= -LOSS),
        Row("readouts that adapt would use, share", _listed(proven)),
        Row("worst that these do to an imager", f"{as_used:+.3f}", f">= {-LOSS}", as_used >= -LOSS),
    ]


def _gains(curves: Sequence[Curve]) -> tuple[list[Floats], list[Floats]]:
    return [each.gains for each in curves], [each.as_used for each in curves]


def main() -> None:
    """Render, score, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foreign", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures are, or come to be")
    parser.add_argument("--models", type=Path, help="folder of the models to measure (default: the package's own)")
    parser.add_argument("--recipes", action="store_true", help="print the imagers and end")
    arguments = parser.parse_args()
    if arguments.recipes:
        print("\n".join(recipe_rows()))
        return
    render(arguments.folder)
    contact_sheets(arguments.folder)
    folder = arguments.models or default_models_folder()
    models, card = default_models(folder), features_model(folder).card
    scores = scores_of(arguments.folder, models)
    prior = prior_of(card.sha256, card.features.channels if card.features else 0)
    curves = {name: curve_of(each, seed, prior) for seed, (name, each) in enumerate(scores.items())}
    print(table(rows_of(scores, curves)))


if __name__ == "__main__":
    main()
