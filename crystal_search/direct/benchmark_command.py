"""``crystal-search benchmark``: how many imagers this machine keeps up with.

As many client processes as there are processors score wells of the demo plate, enlarged to what a usual camera takes,
from the bytes of a JPEG file to the result and the picture with frames.
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import numpy as np
import simplejpeg
from PIL import Image as Pillow

import crystal_search
from crystal_search.arguments import number_that, within
from crystal_search.direct.as_installed import models_in
from crystal_search.errors import UserError
from crystal_search.model import default_models_folder
from crystal_search.processes import pool_of, processors
from crystal_search.scoring.overlay import overlay_jpeg
from crystal_search.scoring.pipeline import Models, score_data
from crystal_search.work_unit import Parameters

WIDTH_PX, HEIGHT_PX = 2452, 2056  #: of the camera's pictures
JPEG_QUALITY = 90
EVERY_NTH_WELL = 8  #: of the demo plate; its wells go column by column, so these have a class each
USUAL_S, FASTEST_S = 16.25, 5.19  #: from well to well at one imager (Thielmann et al. 2023, section 2.1)
START_LIMIT_S = 300  #: for all processes to have loaded the networks and scored a well
QUIET = 0.9  #: a process that had less of a processor shared it with something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one process did."""

    wells: int
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How fast this machine is."""

    model: str
    wells: int
    seconds: float  #: measured, warm-up excluded
    processes: int
    processors: int
    wells_per_second: float
    cpu_seconds_per_well: float
    processor_share: float  #: of a processor that each process had, in [0, 1]
    load_before: float | None  #: processes that wanted a processor in the minute before; None where nobody counts

    @property
    def busy(self) -> bool:
        """Whether other programs took part of the machine."""
        crowded = self.processes <= self.processors and self.processor_share < QUIET
        return crowded or (self.load_before or 0) > (1 - QUIET) * self.processors + 0.5


def wells() -> list[bytes]:
    """Return wells of the demo plate as JPEG files of `WIDTH_PX` x `HEIGHT_PX`.

    Raises
    ------
    UserError
        If the plate is not there.
    """
    folder = Path(crystal_search.__file__).parent / "demo" / "plate"
    paths = sorted(folder.glob("*.jpg"))[::EVERY_NTH_WELL]
    if not paths:
        raise UserError(f"there is no demo plate in {folder}; install the package again")
    return [_enlarged(path) for path in paths]


def _enlarged(path: Path) -> bytes:
    with Pillow.open(path) as picture:
        large = picture.convert("RGB").resize((WIDTH_PX, HEIGHT_PX), Pillow.Resampling.BILINEAR)
    return bytes(simplejpeg.encode_jpeg(np.asarray(large), quality=JPEG_QUALITY))


@dataclass(frozen=True, slots=True)
class _Worker:
    models: Models
    wells: list[bytes]
    start: Barrier


_worker: dict[str, _Worker] = {}  # one entry, set once in each process


def _start_worker(models: Path, images: list[bytes], start: Barrier) -> None:
    _worker["worker"] = _Worker(models_in(models), images, start)


def _score(data: bytes, models: Models) -> None:
    score, image = score_data(data, models, Parameters())
    if image:
        overlay_jpeg(image, score)


def _work(number: int, seconds: float) -> Share:
    """Score wells for `seconds`, from when all processes have scored one."""
    worker = _worker["worker"]
    _score(worker.wells[number % len(worker.wells)], worker.models)
    worker.start.wait(START_LIMIT_S)
    start, cpu_start, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        _score(worker.wells[(number + done) % len(worker.wells)], worker.models)
        done += 1
    return Share(wells=done, seconds=time.perf_counter() - start, cpu_seconds=time.process_time() - cpu_start)


def measured(models: Path, *, processes: int, seconds: float) -> Found:
    """Score with `processes` at once for `seconds` and return how fast that went.

    Raises
    ------
    UserError
        If a process was killed, or the demo plate is not there.
    ModelError
        If `models` is no folder with one model of each kind.
    """
    name = models_in(models).classifier.card.name  # an error here, not in each process
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    arguments = (models, wells(), multiprocessing.get_context("spawn").Barrier(processes))
    try:
        with pool_of(processes, _start_worker, arguments) as pool:
            shares = [each.result() for each in [pool.submit(_work, number, seconds) for number in range(processes)]]
    except (BrokenProcessPool, BrokenBarrierError) as error:
        raise UserError(
            f"one of {processes} processes was killed or did not start, perhaps for memory; try fewer --processes"
        ) from error
    count = sum(share.wells for share in shares)
    return Found(
        model=name,
        wells=count,
        seconds=max(share.seconds for share in shares),
        processes=processes,
        processors=processors(),
        wells_per_second=sum(share.wells / share.seconds for share in shares),
        cpu_seconds_per_well=sum(share.cpu_seconds for share in shares) / count,
        processor_share=sum(share.cpu_seconds for share in shares) / sum(share.seconds for share in shares),
        load_before=load,
    )


def imagers(wells_per_second: float, every_s: float) -> int:
    """Return how many imagers can deliver a well every `every_s` seconds without a queue growing.

    >>> imagers(14.3, 16.25), imagers(0.19, 5.19)
    (232, 0)
    """
    return math.floor(wells_per_second * every_s)


def sentence(wells_per_second: float) -> str:
    """Return the answer in plain words.

    >>> sentence(14.3)[46:]
    'keeps up with 232 imagers that deliver a well every 16.25 s, or 74 at one every 5.19 s.'
    """
    usual, fastest = imagers(wells_per_second, USUAL_S), imagers(wells_per_second, FASTEST_S)
    rate = (
        f"{wells_per_second:.1f} wells per second"
        if wells_per_second >= 1
        else f"a well every {1 / wells_per_second:.1f} s"
    )
    speed = f"This machine scores {rate}."
    if not usual:
        return f"{speed} It does not keep up with one imager that delivers a well every {USUAL_S} s."
    many = "one imager that delivers" if usual == 1 else f"{usual} imagers that deliver"
    rest = f"or {fastest} at one every {FASTEST_S} s" if fastest else f"but not with one at a well every {FASTEST_S} s"
    return f"{speed} It keeps up with {many} a well every {USUAL_S} s, {rest}."


def report(found: Found) -> str:
    """Return what was measured, line by line, the plain sentence last."""
    lines = [
        f"model            {found.model}",
        f"wells            {found.wells} of {WIDTH_PX} x {HEIGHT_PX} px, from JPEG bytes to result and picture",
        f"time             {found.seconds:.1f} s with {found.processes} processes on {found.processors} processors",
        f"a well           {found.cpu_seconds_per_well:.3f} CPU-seconds",
    ]
    if found.busy:
        load = "" if found.load_before is None else f" (load average before: {found.load_before:.1f})"
        alone = min(found.processes, found.processors) / found.cpu_seconds_per_well
        lines += [
            f"not quiet        other programs were busy{load}; each process had {found.processor_share:.0%} of a "
            f"processor. Alone on this machine: about {alone:.1f} wells per second"
        ]
    return "\n".join([*lines, "", sentence(found.wells_per_second)])


def as_json(found: Found) -> str:
    """Return the same as JSON."""
    answer = {
        "imagers_at_16_25_s": imagers(found.wells_per_second, USUAL_S),
        "imagers_at_5_19_s": imagers(found.wells_per_second, FASTEST_S),
        "busy": found.busy,
    }
    return json.dumps(asdict(found) | answer, indent=2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--seconds", type=_seconds, default=20.0, help="how long to measure (default: %(default)g)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    parser.add_argument(
        "--processes", type=_processes, default=processors(), metavar="N", help="default: one a processor"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def _seconds(text: str) -> float:
    return within(text, 0.1, 3600, unit=" seconds")


def _processes(text: str) -> int:
    return number_that(int, text, range(1, 1025).__contains__, "a whole number from 1 to 1024")


def run(arguments: argparse.Namespace) -> None:
    """Measure and say how many imagers this machine keeps up with."""
    folder = arguments.models or default_models_folder()
    found = measured(folder, processes=arguments.processes, seconds=arguments.seconds)
    sys.stdout.write((as_json(found) if arguments.json else report(found)) + "\n")
