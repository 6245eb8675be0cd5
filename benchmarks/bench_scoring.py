"""Speed of scoring: dense against windowed, a whole well from JPEG bytes to result, and the paper's way beside it.

``python -m benchmarks.bench_scoring --models FOLDER`` measures the int8 classifier in FOLDER too.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.paper_way import padded_twin, paper_probabilities
from benchmarks.table import Row, table
from benchmarks.wells import drawn_jpeg, drawn_well
from crystal_search.chopper.tiling import grid_over
from crystal_search.geometry import Box
from crystal_search.images import normalised, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.scoring.classify import dense_answers, probabilities, windowed_answers
from crystal_search.scoring.overlay import overlay_jpeg
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.work_unit import Parameters

DROP_PX = 1200
#: The drop as it is drawn, in stored pixels. The paper's way is given it; ours works on the larger box that it finds.
DRAWN = Box(0, 0, DROP_PX, DROP_PX).shifted((2056 - DROP_PX) // 2, (2452 - DROP_PX) // 2)
WORKING_WIDTH_PX = 1224


def dense_against_windowed(repeats: int = 3) -> list[Row]:
    """Score the same 1200 x 1200 px drop both ways, in turns, one thread, CPU time."""
    network = OnnxNetwork(default_model(ClassifierCard))
    card = network.card
    well = drawn_well(height=1300, width=1300, drop_px=DROP_PX)
    view = normalised(to_grey(well), card.normalisation)
    drop = Box(50, 50, 50 + DROP_PX, 50 + DROP_PX)
    grid = grid_over(drop, image_height=1300, image_width=1300, side_px=card.side_px, stride_px=card.chop_stride_px)
    chops = range(grid.rows * grid.columns)
    dense_s, windowed_s, apart = [], [], 0.0
    for _ in range(repeats):
        start = time.process_time()
        dense = probabilities(dense_answers(view, grid, chops, network).logits, card.temperature)
        middle = time.process_time()
        windowed = probabilities(windowed_answers(view, grid, chops, network).logits, card.temperature)
        dense_s.append(middle - start)
        windowed_s.append(time.process_time() - middle)
        apart = max(apart, float(np.abs(dense - windowed).max()))
    ratio = float(np.median(windowed_s) / np.median(dense_s))
    return [
        Row(
            f"windowed over dense, {len(chops)} chops of one {DROP_PX} px drop",
            f"{ratio:.1f} x",
            ">= 10 x",
            ratio >= 10,
        ),
        Row("  windowed, CPU-seconds", f"{np.median(windowed_s):.2f}"),
        Row("  dense, CPU-seconds", f"{np.median(dense_s):.2f}"),
        Row("  largest difference of a probability", f"{apart:.1e}", "<= 1e-5", apart <= 1e-5),
        Row("  probabilities over the chops, largest spread", f"{np.ptp(dense, axis=0).max():.2f}"),
    ]


def whole_well(models: Models, data: bytes, repeats: int = 7) -> list[Row]:
    """Score a well from JPEG bytes to result and overlay, one thread, CPU time, and the split by step."""
    parameters = Parameters(no_drop="whole_image")
    score_data(data, models, parameters)
    cpu_s, steps = [], []
    for _ in range(repeats):
        start = time.process_time()
        score, image = score_data(data, models, parameters)
        if image:
            overlay_jpeg(image, score)
        cpu_s.append(time.process_time() - start)
        steps.append(score.seconds)
    box = score.drop.box if score.drop else Box(0, 0, 0, 0)
    found = f"{box.height} x {box.width} px, {score.chops} chops"
    return [
        Row("whole 2452 x 2056 well, JPEG to result and overlay, CPU-seconds", f"{np.median(cpu_s):.3f}"),
        Row(f"  drop of {DROP_PX} px found as", found, "", score.chops > 0),
        *(Row(f"  {step}, wall seconds", f"{np.median([each[step] for each in steps]):.3f}") for step in steps[0]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the whole well must reach."""

    cpu_seconds: float
    ratio: float  #: of the paper's way over ours


FLOAT32, INT8 = Targets(cpu_seconds=0.5, ratio=12), Targets(cpu_seconds=0.3, ratio=20)


def beside_the_paper(
    models: Models, twins: Models, data: bytes, targets: Targets, *, what: str, repeats: int = 5
) -> list[Row]:
    """Score the same well our way and the paper's way, in turns, one thread, CPU time from JPEG bytes to probabilities.

    Parameters
    ----------
    models
        What is measured.
    twins
        The padded twin of the classifier, and the drop locator.
    data
        A well of 2452 x 2056 px with a drop of `DROP_PX` in its middle.
    targets
        What `models` must reach.
    what
        The numbers it computes with, for the table.
    """
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: score_data(data, models, Parameters()),
        "all": lambda: paper_probabilities(data, twins, DRAWN, width_px=None),
        "reduced": lambda: paper_probabilities(data, twins, DRAWN, width_px=WORKING_WIDTH_PX),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, score in ways.items():
            start = time.process_time()
            score()
            times[way].append(time.process_time() - start)
    ours, full, reduced = (float(np.median(each)) for each in times.values())
    return [
        Row(f"{what}: JPEG to result, CPU-s", f"{ours:.3f}", f"<= {targets.cpu_seconds}", ours <= targets.cpu_seconds),
        Row("  the paper's way on all pixels, 400 chops, CPU-s", f"{full:.2f}"),
        Row("  over ours", f"{full / ours:.1f} x", f">= {targets.ratio:g} x", full / ours >= targets.ratio),
        Row(f"  the paper's way at a width of {WORKING_WIDTH_PX} px, 64 chops, CPU-s", f"{reduced:.3f}"),
        Row("  over ours", f"{reduced / ours:.1f} x"),
    ]


def against_the_paper(integers: Path | None) -> list[Row]:
    """Measure the whole well with the default models, and with the int8 classifier in the folder `integers`."""
    data = drawn_jpeg(drop_px=DROP_PX)
    classifier, drop = default_model(ClassifierCard), default_model(DropCard)
    models = loaded([classifier, drop])
    twins = Models(OnnxNetwork(padded_twin(classifier)), models.drop)
    found = [*whole_well(models, data), *beside_the_paper(models, twins, data, FLOAT32, what="float32")]
    if integers is None:
        return [*found, Row("int8", "not measured: no folder named")]
    small = default_model(ClassifierCard, integers)
    ours, small_twins = (Models(OnnxNetwork(each), models.drop) for each in (small, padded_twin(small)))
    return [
        *found,
        *beside_the_paper(ours, twins, data, INT8, what="int8"),
        *beside_the_paper(ours, small_twins, data, INT8, what="int8, the paper's way in int8 too"),
    ]


def rows(integers: Path | None = None) -> list[Row]:
    """Return every figure of this module."""
    return [*dense_against_windowed(), *against_the_paper(integers)]


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="folder with an int8 classifier to measure too")
    print(table(rows(parser.parse_args().models)))


if __name__ == "__main__":
    main()
