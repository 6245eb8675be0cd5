"""Speed of scoring: dense against windowed, and a whole well from JPEG bytes to result."""

import time

import numpy as np

from benchmarks.table import Row
from benchmarks.wells import drawn_jpeg, drawn_well
from crystal_search.artefacts import default_model
from crystal_search.chopper.tiling import grid_over
from crystal_search.client.classify import dense_logits, probabilities, windowed_logits
from crystal_search.client.overlay import overlay_jpeg
from crystal_search.client.pipeline import loaded
from crystal_search.client.program import score_data
from crystal_search.geometry import Box
from crystal_search.images import normalised, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.work_unit import Parameters

DROP_PX = 1200


def dense_against_windowed(repeats: int = 3) -> list[Row]:
    """Score the same 1200 x 1200 px drop both ways, in turns, one thread, CPU time."""
    network = OnnxNetwork(default_model("classifier"))
    card = network.card
    well = drawn_well(height=1300, width=1300, drop_px=DROP_PX)
    view = normalised(to_grey(well), card.normalisation)
    drop = Box(50, 50, 50 + DROP_PX, 50 + DROP_PX)
    grid = grid_over(drop, image_height=1300, image_width=1300, side_px=card.side_px, stride_px=card.chop_stride_px)
    boxes = list(grid.boxes())
    dense_s, windowed_s, apart = [], [], 0.0
    for _ in range(repeats):
        start = time.process_time()
        dense = probabilities(dense_logits(view, grid, network), card.temperature)
        middle = time.process_time()
        windowed = probabilities(windowed_logits(view, boxes, network), card.temperature)
        dense_s.append(middle - start)
        windowed_s.append(time.process_time() - middle)
        apart = max(apart, float(np.abs(dense - windowed).max()))
    ratio = float(np.median(windowed_s) / np.median(dense_s))
    return [
        Row(
            f"windowed over dense, {len(boxes)} chops of one {DROP_PX} px drop",
            f"{ratio:.1f} x",
            ">= 10 x",
            ratio >= 10,
        ),
        Row("  windowed, CPU-seconds", f"{np.median(windowed_s):.2f}"),
        Row("  dense, CPU-seconds", f"{np.median(dense_s):.2f}"),
        Row("  largest difference of a probability", f"{apart:.1e}", "<= 1e-5", apart <= 1e-5),
        Row("  probabilities over the chops, largest spread", f"{np.ptp(dense, axis=0).max():.2f}"),
    ]


def whole_well(repeats: int = 7) -> list[Row]:
    """Score a 2452 x 2056 px JPEG with a 1200 px drop, one thread, CPU time, and the split by step."""
    models = loaded(default_model("classifier"), default_model("drop_locator"))
    data = drawn_jpeg(drop_px=DROP_PX)
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
    total = float(np.median(cpu_s))
    reached = total <= 1.0 and score.chops > 0
    box = score.drop.box if score.drop else Box(0, 0, 0, 0)
    found = f"{box.height} x {box.width} px, {score.chops} chops"
    return [
        Row(
            "whole 2452 x 2056 well, JPEG to result and overlay, CPU-seconds",
            f"{total:.2f}",
            "<= 1.0",
            reached,
        ),
        Row(f"  drop of {DROP_PX} px found as", found),
        *(Row(f"  {step}, wall seconds", f"{np.median([each[step] for each in steps]):.3f}") for step in steps[0]),
    ]


def rows() -> list[Row]:
    """Return every figure of this module."""
    return [*dense_against_windowed(), *whole_well()]
