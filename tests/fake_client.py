"""A client that looks at no pixel: quick, and as bad as its plan says.

``python fake_client.py PLAN UNIT.zip --out DIR --models DIR``; PLAN is JSON, see `Plan`.
"""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import WorkUnitError
from crystal_search.geometry import Box
from crystal_search.model import sha256_of
from crystal_search.outcomes import OUTCOMES
from crystal_search.result import (
    BestChop,
    DropRegion,
    ImageResult,
    ImageScore,
    Overlay,
    RankedScore,
    Result,
    write_result,
)
from crystal_search.work_unit import WorkUnit, WorkUnitImage, image_sizes, read_work_unit

JPEG = b"\xff\xd8\xff\xe0 not much of a picture"
#: Where the shipped models could find them in a picture of 600 x 600 px.
DROP, CHOP = Box(9, 9, 101, 101), Box(0, 0, 125, 125)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the client does wrong."""

    seconds: float = 0.0  #: spent on each image
    crash_on: tuple[str, ...] = ()  #: ids of images that kill it
    unreadable: tuple[str, ...] = ()  #: ids of images that it cannot read
    once: str = ""  #: a fault at the first attempt at each work unit, see `misbehave`
    always: str = ""  #: a fault at every attempt
    notes: str = ""  #: folder in which a file is left for each image scored
    probe_too: bool = False  #: whether `always` is meant for the engine's own probe as well


def image_result(
    image: WorkUnitImage, number: int, folder: Path, *, readable: bool, size: tuple[int, int] = (200, 200)
) -> ImageResult:
    """Return a score that depends on the number and the picture's size alone, and write its overlay."""
    if not readable:
        return ImageResult(id=image.id, sha256=image.sha256, score=ImageScore(height_px=0, width_px=0, error="bad"))
    index = number % (len(OUTCOMES) - 1)
    outcome = OUTCOMES[index]
    other = next(place for place, each in enumerate(OUTCOMES) if each.group is not outcome.group)
    probabilities = tuple({index: 0.99, other: 0.01}.get(place, 0.0) for place in range(len(OUTCOMES)))
    groups = {outcome.group: 0.99, OUTCOMES[other].group: 0.01}
    peaks = tuple(groups.get(group, 0.0) for group in dict.fromkeys(o.group for o in OUTCOMES))
    name = f"overlays/{number:04d}.jpg"
    (folder / name).write_bytes(JPEG)
    score = ImageScore(
        height_px=size[0],
        width_px=size[1],
        drop=DropRegion(box=DROP, area_fraction=0.2, outline=((9, 9), (9, 101), (101, 101))),
        score=RankedScore(outcome=outcome.name, probability=0.99, above_threshold=True),
        class_probabilities=probabilities,
        group_peaks=peaks,
        best_chops=(BestChop(box=CHOP, outcome=outcome.name, probability=0.99),),
        chops=1,
        packed_features=features_of(image.sha256),
        seconds={"decode": 0.001},
    )
    overlay = Overlay(file=name, sha256=sha256_of(JPEG), size_bytes=len(JPEG))
    return ImageResult(id=image.id, sha256=image.sha256, score=score, overlay=overlay)


def features_of(sha256: str) -> bytes:
    """Return as many features as the shipped classifier has, which follow from the picture, as `packed_features`."""
    return 48 * bytes.fromhex(sha256[:32].replace("7", "6").replace("f", "e"))  # no infinity among them


def misbehave(fault: str, folder: Path, unit: WorkUnit) -> None:
    """Do what `fault` says, and end."""
    if fault == "hang":
        (folder / "hanging").touch()
        time.sleep(1000)
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "garbage":
        (folder / "result.json").write_text("[" * 200_000)
    if fault == "other":
        result = Result(
            work_unit="another-one",
            client_version="fake",
            models=unit.models,
            images=(),
        )
        write_result(result, folder)
    if fault.isdigit():
        sys.stderr.write("this is why\n")
        sys.exit(int(fault))
    sys.exit(0)


def score(path: Path, folder: Path, plan: Plan) -> None:
    """Score the work unit at `path`; a file per image is the checkpoint."""
    unit = read_work_unit(path)
    (folder / "overlays").mkdir(exist_ok=True)
    first = not (folder / "begun").exists() and not (path.parent.parent / "failures" / unit.name).exists()
    (folder / "begun").touch()
    fault = (plan.once if first else "") or plan.always
    if fault and (unit.name != "probe" or plan.probe_too):
        misbehave(fault, folder, unit)
    images, sizes = [], image_sizes(path, unit)
    for number, image in enumerate(unit.images):
        (folder / "fraction_done").write_text(str(number / len(unit.images)))
        done = folder / f"done-{number}"
        if not done.exists():
            time.sleep(plan.seconds)
            if image.id in plan.crash_on:
                os.kill(os.getpid(), signal.SIGSEGV)
            done.touch()
            if plan.notes:
                (Path(plan.notes) / f"{image.id}-{os.getpid()}").touch()
        readable, size = image.id not in plan.unreadable, sizes.get(image.id, (200, 200))
        images.append(image_result(image, number, folder, readable=readable, size=size))
    result = Result(
        work_unit=unit.name,
        client_version="fake",
        models=unit.models,
        images=tuple(images),
    )
    write_result(result, folder)
    (folder / "stranger.exe").write_text("not asked for")


def main() -> None:
    """Be a client."""
    parser = argparse.ArgumentParser()
    parser.add_argument("plan")
    parser.add_argument("unit", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        score(arguments.unit, arguments.out, Plan(**json.loads(arguments.plan)))
    except WorkUnitError:
        sys.exit(3)


if __name__ == "__main__":
    main()
