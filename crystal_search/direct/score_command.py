"""``crystal-search score``: any images or folders, one CSV row for each, no database."""

import argparse
import csv
import multiprocessing
import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from crystal_search.arguments import count, fraction
from crystal_search.errors import ImageError, UserError
from crystal_search.files import write_whole
from crystal_search.hostile_json import printable
from crystal_search.images import MAX_BYTES, SUFFIXES
from crystal_search.model import default_model, default_models_folder
from crystal_search.outcomes import BY_NAME, GROUPS
from crystal_search.result import ImageScore
from crystal_search.scoring.overlay import overlay_jpeg
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.work_unit import Parameters

COLUMNS = (
    "path",
    "outcome",
    "score_number",
    "group",
    "probability",
    *(f"p_{group}" for group in GROUPS),
    "above_threshold",
    "drop_found",
    "drop_top",
    "drop_left",
    "drop_bottom",
    "drop_right",
    "model",
    "seconds",
    "error",
)
WITHOUT_DROP = 0.5  #: by which the whole image counts where no drop was found


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every worker process needs to know."""

    models: Path
    parameters: Parameters
    overlays: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One input with what was found."""

    path: Path
    score: ImageScore
    peaks: tuple[float, ...]  #: by group, see `_peaks`; () for what was not read
    model: str
    seconds: float


_worker: dict[str, tuple[Job, Models]] = {}  # one entry, set once in each worker process


def _models_of(job: Job) -> Models:
    return loaded(default_model("classifier", job.models), default_model("drop_locator", job.models))


def _start_worker(job: Job) -> None:
    _worker["job"] = (job, _models_of(job))


def _score_file(number: int, path: Path) -> Scored:
    job, models = _worker["job"]
    start = time.perf_counter()
    peaks: tuple[float, ...] = ()
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ImageError(f"the image file has {size} bytes; at most {MAX_BYTES} are read")
        data = path.read_bytes()
        score, image = score_data(data, models, job.parameters)
        peaks = _peaks(score, data, models, job.parameters)
        if job.overlays and image and score.error is None:
            write_whole(job.overlays / f"{number:05d}_{path.stem}.jpg", overlay_jpeg(image, score))
    except OSError as error:
        score = unreadable(f"cannot read the file: {error.strerror}")
    except Exception as error:  # one image must not take the others' rows with it
        score = unreadable(str(error) or type(error).__name__)
    seconds = time.perf_counter() - start
    return Scored(path=path, score=score, peaks=peaks, model=models.classifier.card.name, seconds=seconds)


def _peaks(score: ImageScore, data: bytes, models: Models, parameters: Parameters) -> tuple[float, ...]:
    """Return the groups' peaks, so that all images can be ranked, also one whose drop was overlooked.

    Where no drop was found they are those of the whole image, by half: most such images hold none.
    """
    if score.group_peaks or score.error is not None:
        return score.group_peaks
    whole, _ = score_data(data, models, replace(parameters, no_drop="whole_image"))
    return tuple(WITHOUT_DROP * peak for peak in whole.group_peaks)


def unreadable(reason: str) -> ImageScore:
    """Return the score of an image that could not be scored."""
    return ImageScore(height_px=0, width_px=0, error=printable(reason))


def inputs(arguments: Sequence[Path]) -> list[Path]:
    """Return the images to score, in the order given; a folder stands for its images, sorted, at any depth.

    Raises
    ------
    UserError
        If there is nothing to score.
    """
    found: list[Path] = []
    for path in arguments:
        if path.is_dir():
            inside = (each for each in sorted(path.rglob("*")) if each.suffix.lower() in SUFFIXES and each.is_file())
            found.extend(each for each in inside if not each.name.startswith("."))
        else:
            found.append(path)
    if not found:
        raise UserError(f"no images in {', '.join(map(str, arguments))}; images end in {', '.join(SUFFIXES)}")
    return found


def _pool(job: Job, workers: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start_worker, initargs=(job,))


def scored(paths: Iterable[Path], job: Job, *, workers: int) -> Iterator[Scored]:
    """Yield every input scored, in order; an image that kills its process is a row with an error.

    Parameters
    ----------
    paths
        Image files; they need not exist.
    job
        Models, parameters, folder for overlays.
    workers
        Processes at a time, at least 1.
    """
    waiting: deque[tuple[int, Path, Future[Scored] | None]] = deque()
    queue = enumerate(paths)
    with ExitStack() as stack:
        pool = stack.enter_context(_pool(job, workers))
        while True:
            while len(waiting) < 4 * workers and (entry := next(queue, None)) is not None:
                waiting.append((*entry, _submitted(pool, *entry)))
            if not waiting:
                return
            number, path, future = waiting.popleft()
            try:
                if future is None:
                    raise BrokenProcessPool
                yield future.result()
            except BrokenProcessPool:
                pool = stack.enter_context(_pool(job, workers))
                yield _scored_alone(number, path, job)
                waiting = deque((n, p, _again(pool, n, p, each)) for n, p, each in waiting)


def _submitted(pool: ProcessPoolExecutor, number: int, path: Path) -> Future[Scored] | None:
    try:
        return pool.submit(_score_file, number, path)
    except BrokenProcessPool:
        return None


def _again(pool: ProcessPoolExecutor, number: int, path: Path, future: Future[Scored] | None) -> Future[Scored] | None:
    """Keep a finished answer; hand an image that was lost with its process to the new pool."""
    if future is not None and future.done() and not future.cancelled() and future.exception() is None:
        return future
    return _submitted(pool, number, path)


def _scored_alone(number: int, path: Path, job: Job) -> Scored:
    """Score an image in a process of its own; only this image can be the one that kills it."""
    with _pool(job, 1) as pool:
        try:
            return pool.submit(_score_file, number, path).result()
        except BrokenProcessPool:
            score = unreadable("the program was killed while it read this image")
            return Scored(path=path, score=score, peaks=(), model="", seconds=0.0)


def row(found: Scored) -> dict[str, object]:
    """Return one CSV row; empty cells where there is nothing to say."""
    score, outcome = found.score, BY_NAME.get(found.score.outcome)
    cells: dict[str, object] = {
        "path": found.path,
        "outcome": score.outcome,
        "score_number": outcome.score_number if outcome else "",
        "group": outcome.group if outcome else "",
        "probability": f"{score.score.probability:.4f}" if score.score else "",
        "above_threshold": int(score.score.above_threshold) if score.score else "",
        "drop_found": int(score.drop is not None),
        "model": found.model,
        "seconds": f"{found.seconds:.3f}",
        "error": score.error or "",
    }
    if score.error is None:
        peaks = found.peaks or (0.0,) * len(GROUPS)
        cells |= {f"p_{group}": f"{peak:.6f}" for group, peak in zip(GROUPS, peaks, strict=True)}
    if score.drop:
        cells |= {f"drop_{edge}": value for edge, value in score.drop.box._asdict().items()}
    return cells


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help="images, or folders of images")
    parser.add_argument("--csv", type=Path, required=True, help="where to write one row for every input")
    parser.add_argument("--overlays", type=Path, metavar="DIR", help="write a picture with coloured frames for each")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    parser.add_argument("--threshold", type=fraction, default=Parameters().threshold, help="default: %(default)s")
    parser.add_argument("--scoring", choices=("dense", "windowed"), default="dense", help="default: %(default)s")
    parser.add_argument("--no-drop", choices=("stop", "whole_image"), default="stop", help="where no drop is found")
    parser.add_argument("--workers", type=count, default=processors(), help="processes at a time")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(arguments: argparse.Namespace) -> None:
    """Score the images and write the CSV file, whole or not at all.

    Raises
    ------
    UserError
        If there is nothing to score or the CSV file cannot be written.
    """
    paths = inputs(arguments.images)
    job = Job(
        models=arguments.models or default_models_folder(),
        parameters=Parameters(threshold=arguments.threshold, scoring=arguments.scoring, no_drop=arguments.no_drop),
        overlays=arguments.overlays,
    )
    _models_of(job)  # an error here, not in each worker
    temporary = arguments.csv.with_name(arguments.csv.name + ".part")
    try:
        if job.overlays:
            job.overlays.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            counts = _write_rows(csv.DictWriter(file, COLUMNS, restval=""), paths, job, arguments.workers)
        os.replace(temporary, arguments.csv)
    except OSError as error:
        raise UserError(f"cannot write {arguments.csv}, or its pictures: {error.strerror}") from error
    total = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    sys.stdout.write(f"{len(paths)} {'image' if len(paths) == 1 else 'images'}: {total}\n{arguments.csv}\n")


def _write_rows(writer: "csv.DictWriter[str]", paths: list[Path], job: Job, workers: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    writer.writeheader()
    found = scored(paths, job, workers=min(workers, len(paths)))
    for each in tqdm(found, total=len(paths), desc="score", unit="image", disable=not sys.stderr.isatty()):
        writer.writerow(row(each))
        counts[each.score.outcome] = counts.get(each.score.outcome, 0) + 1
    return counts
