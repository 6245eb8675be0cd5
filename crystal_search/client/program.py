"""The volunteer's program: scores the images of a work unit one after another and writes the result.

``python -m crystal_search.client UNIT.zip --out DIR --models DIR``

It can be killed at any moment: each image that is done stands in a checkpoint, and the next start in the same
folder goes on after it. The result file appears, whole, when the last image is done.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crystal_search import __version__
from crystal_search.arguments import path_named
from crystal_search.errors import ModelError, ResultError, WorkUnitError
from crystal_search.exit_codes import BAD_MODEL, BAD_WORK_UNIT, FAILED, OK
from crystal_search.files import write_whole
from crystal_search.model import default_models_folder, in_role, model_in_any, sha256_of
from crystal_search.model_card import ROLES
from crystal_search.result import ImageResult, Overlay, Result, image_result_to_json, write_result
from crystal_search.result_reader import check_overlay, image_result_from_json
from crystal_search.scoring.looking import Stopwatch
from crystal_search.scoring.overlay import overlay_jpeg
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.work_unit import WorkUnit, WorkUnitImage, image_bytes, manifest_to_json, read_work_unit

CHECKPOINT = "checkpoint.jsonl"
FRACTION_DONE = "fraction_done"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the program on one work unit."""

    path: Path  #: of the work unit
    unit: WorkUnit
    models: Models
    folder: Path  #: for the result


def _go_on(fraction: float) -> None:
    """Do not wait between images."""


def score_work_unit(
    path: Path, folder: Path, models_folders: Sequence[Path], *, pause: Callable[[float], None] = _go_on
) -> Result:
    """Score every image of the work unit at `path` and write the result and its overlays into `folder`.

    `pause` is called before each image and at the end with the part that is done and kept, from 0 to 1; it returns
    when the next may be scored.

    Raises
    ------
    WorkUnitError
        If the work unit breaks the format.
    ModelError
        If no one of `models_folders` holds a model that the work unit names.
    """
    unit = read_work_unit(path)
    models = loaded(in_role(model_in_any(models_folders, each.sha256), ROLES[each.role]) for each in unit.models)
    attempt = Attempt(path, unit, models, folder)
    (folder / "overlays").mkdir(parents=True, exist_ok=True)
    done = _read_checkpoint(folder, unit)
    for number, image in enumerate(unit.images[len(done) :], start=len(done)):
        _report_fraction(folder, number / len(unit.images))
        pause(number / len(unit.images))
        done.append(_score_member(attempt, image, number))
        _append_checkpoint(folder, done[-1])
    result = Result(work_unit=unit.name, client_version=__version__, models=unit.models, images=tuple(done))
    write_result(result, folder)
    _report_fraction(folder, 1.0)
    pause(1.0)
    return result


def _score_member(attempt: Attempt, image: WorkUnitImage, number: int) -> ImageResult:
    unit = attempt.unit
    score, decoded = score_data(image_bytes(attempt.path, image), attempt.models, unit.parameters)
    overlay = None
    if unit.parameters.overlays and decoded and score.score:
        watch = Stopwatch()
        with watch.step("overlay"):
            overlay = _write_overlay(attempt.folder, number, overlay_jpeg(decoded, score))
        score = replace(score, seconds=score.seconds | watch.seconds)
    log.info("scored image %s of %s: %s", image.id, unit.name, score.outcome)
    return ImageResult(id=image.id, sha256=image.sha256, score=score, overlay=overlay)


def _write_overlay(folder: Path, number: int, jpeg: bytes) -> Overlay:
    name = f"overlays/{number:04d}.jpg"
    write_whole(folder / name, jpeg)
    return Overlay(file=name, sha256=sha256_of(jpeg), size_bytes=len(jpeg))


def _checkpoint_head(unit: WorkUnit) -> str:
    return json.dumps({"manifest": sha256_of(manifest_to_json(unit).encode()), "client": __version__})


def _read_checkpoint(folder: Path, unit: WorkUnit) -> list[ImageResult]:
    """Return the images that are done, and leave a checkpoint file that says just that."""
    path = folder / CHECKPOINT
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    done: list[ImageResult] = []
    if lines and lines[0] == _checkpoint_head(unit):
        for line, image in zip(lines[1:-1], unit.images, strict=False):
            try:
                result = image_result_from_json(line.encode())
                if result.overlay:
                    check_overlay(result.overlay, folder)
            except ResultError:
                break
            if result.id != image.id:
                break
            done.append(result)
    kept = [_checkpoint_head(unit), *(image_result_to_json(result) for result in done)]
    write_whole(path, "\n".join([*kept, ""]))
    return done


def _append_checkpoint(folder: Path, result: ImageResult) -> None:
    with (folder / CHECKPOINT).open("a", encoding="utf-8") as file:
        file.write(image_result_to_json(result) + "\n")


def _report_fraction(folder: Path, fraction: float) -> None:
    write_whole(folder / FRACTION_DONE, f"{fraction:.4f}\n")


def parser() -> argparse.ArgumentParser:
    """Return the program's command line."""
    found = argparse.ArgumentParser(prog="crystal-search-client", description="Score the images of a work unit.")
    found.register("type", Path, path_named)
    found.add_argument("work_unit", type=Path, help="the work unit, a zip file")
    found.add_argument("--out", type=Path, required=True, help="folder for the result; a restart goes on in it")
    found.add_argument("--models", type=Path, action="append", help="folder of models and cards; may be repeated")
    found.add_argument("--verbose", action="store_true", help="log what is done")
    return found


def attempted(
    path: Path, folder: Path, models_folders: Sequence[Path], *, pause: Callable[[float], None] = _go_on
) -> int:
    """Score a work unit as `score_work_unit` does, or say what is wrong with it; return the exit code."""
    try:
        score_work_unit(path, folder, models_folders, pause=pause)
    except WorkUnitError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_WORK_UNIT
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_MODEL
    return OK


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0, 1 our fault, 2 usage, 3 work unit, 4 model."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING)
    try:
        return attempted(arguments.work_unit, arguments.out, arguments.models or [default_models_folder()])
    except Exception:
        log.exception("the client itself failed")
        return FAILED
