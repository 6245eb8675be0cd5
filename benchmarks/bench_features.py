"""What features cost a well: ``python -m benchmarks.bench_features [--repeats N]``.

The same wells are scored by the shipped classifier and by the same file without its second output, in turns, on one
thread; CPU time counts, from JPEG bytes to the result's text. What else the machine does meets both alike.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx

from benchmarks.bench_quorum import demo_images
from benchmarks.bench_scoring import DROP_PX
from benchmarks.table import Row, table
from benchmarks.wells import drawn_jpeg
from crystal_search.model import Model, default_model
from crystal_search.model_card import FEATURES, ClassifierCard, DropCard
from crystal_search.result import ImageResult, image_result_to_json
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.work_unit import Parameters

MOST = 0.05  #: of a well's CPU time, for features


def without_features(model: Model[ClassifierCard]) -> Model[ClassifierCard]:
    """Return a model that gives no features, and is otherwise the same."""
    graph = onnx.load_from_string(model.onnx)
    for part in (graph.graph.node, graph.graph.output):
        kept = [each for each in part if FEATURES not in (getattr(each, "output", None) or [each.name])]
        del part[:]
        part.extend(kept)
    outputs = tuple(each for each in model.card.outputs if each.name != FEATURES)
    return Model(replace(model.card, outputs=outputs), graph.SerializeToString())


def seconds(data: bytes, models: Models) -> tuple[float, str]:
    """Return the CPU time of one image, and its result without features and times as text."""
    start = time.process_time()
    score = score_data(data, models, Parameters(no_drop="whole_image"))[0]
    image_result_to_json(ImageResult(id="1", sha256="0" * 64, score=score))
    took = time.process_time() - start
    return took, repr(replace(score, packed_features=b"", seconds={}))


def compared(name: str, images: list[bytes], repeats: int) -> Iterator[Row]:
    """Yield what features cost images of one kind."""
    classifier, drop = default_model(ClassifierCard), default_model(DropCard)
    featured, plain = loaded([classifier, drop]), loaded([without_features(classifier), drop])
    ratios, with_s, same = [], [], True
    for data in images:
        for models in (featured, plain):
            seconds(data, models)
        told = [(seconds(data, featured), seconds(data, plain)) for _ in range(repeats)]
        best = [min(one[side][0] for one in told) for side in (0, 1)]
        with_s.append(best[0])
        ratios.append(best[0] / best[1] - 1)
        same = same and all(one[0][1] == one[1][1] for one in told)
    cost = float(np.mean(ratios))
    yield Row(f"{name}, {len(images)}: CPU-seconds with features, mean", f"{np.mean(with_s):.3f}")
    yield Row("  more than without, mean", f"{cost:.1%}", f"<= {MOST:.0%}", cost <= MOST)
    yield Row("  all else of the score is the same", str(same), "True", same)


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="of each image; its least time counts (default: 7)")
    repeats = parser.parse_args().repeats
    wells = [drawn_jpeg(drop_px=size) for size in (400, 800, DROP_PX)]
    print(
        table(
            [
                *compared("demo plate", list(demo_images())[::8], repeats),
                *compared("wells of 2452 x 2056 px, drops of 400, 800, 1200 px", wells, repeats),
            ]
        )
    )


if __name__ == "__main__":
    main()
