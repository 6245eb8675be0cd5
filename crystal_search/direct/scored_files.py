"""Files scored, several at a time: what ``crystal-search score``, `crystal_search.score_many` and evaluation share."""

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from crystal_search.columns import PLACES, Cell, written
from crystal_search.direct.as_installed import models_in
from crystal_search.direct.file_scales import UNTOLD, FileScales
from crystal_search.errors import ImageError, UserError
from crystal_search.files import write_whole
from crystal_search.formats.picture import MAX_BYTES
from crystal_search.hostile_json import printable
from crystal_search.images import DecodedImage
from crystal_search.outcomes import GROUPS
from crystal_search.pictures import remarks_on
from crystal_search.processes import in_order, pool_of
from crystal_search.result import ImageScore
from crystal_search.score_cells import score_cells
from crystal_search.scoring.overlay import overlay_jpeg
from crystal_search.scoring.pipeline import Models, first_opinion, score_data
from crystal_search.work_unit import Parameters

COLUMNS = (
    *("path", "outcome", "score_number", "group", "probability"),
    *(f"p_{group}" for group in GROUPS),
    *("above_threshold", "drop_found", *(f"drop_{side}" for side in PLACES["SIDE"])),
    *("looks", "second_group", "second_probability", "crystals_found", "longest_px", "longest_um"),
    *("classifier", "seconds", "remarks", "error"),
)
NOT_SCORED = "not_scored"
#: In the CSV file; six in all other columns.
DECIMALS = {"probability": 4, "second_probability": 4, "seconds": 3, "longest_px": 1, "longest_um": 1}
WITHOUT_DROP = 0.5  #: by which the whole image counts where no drop was found
MAX_STEM_BYTES = 200  #: of an overlay's name: file systems take 255 bytes, with number and suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every worker process needs to know."""

    models: Path
    parameters: Parameters
    overlays: Path | None
    named: tuple[Path, ...] = ()  #: cards of models in the place of those that play their roles
    scales: FileScales = field(default_factory=FileScales)  #: what is known of them beside what files say


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One input with what was found."""

    path: Path
    score: ImageScore
    peaks: tuple[float, ...]  #: by group, see `peaks_for_ranking`; () for what was not read
    model: str
    seconds: float
    remarks: tuple[str, ...] = ()  #: what was overlooked or chosen while the picture was read
    overlay_error: str = ""  #: which picture with frames could not be written, and why
    um_per_px: float | None = None  #: micrometres a stored pixel; None where nobody says it, or it has no crystals
    was_read: bool = True  #: whether an error of the score is about what the file holds, and not about getting at it

    @property
    def outcome(self) -> str:
        """The outcome's name, ``no_drop``, ``unreadable``, or ``not_scored`` where nothing is known of the picture."""
        return self.score.outcome if self.was_read else NOT_SCORED


_worker: dict[str, tuple[Job, Models]] = {}  # one entry, set once in each worker process


def score_file(
    path: Path,
    models: Models,
    parameters: Parameters,
    *,
    overlay: Path | None = None,
    scales: FileScales = UNTOLD,
) -> Scored:
    """Score one image file, and write its picture with frames to `overlay` if one is wanted.

    Whatever is wrong with the file is its score's error: one image must not take the others' rows with it. Only what
    the decoder says of its bytes is a verdict. A picture that cannot be written takes no score away.
    """
    start, was_read, image, scale = time.perf_counter(), False, None, None
    peaks: tuple[float, ...] = ()
    remarks: tuple[str, ...] = ()
    try:
        data = content_in(path)
        score, image = score_data(data, models, parameters)
        remarks = remarks_on(data, image) if image else ()
        peaks = peaks_for_ranking(score, image, models, parameters)
        scale = scales.of(path, data) if score.crystals else None
        was_read = True
    except OSError as error:
        score = unreadable(f"cannot read the {'folder' if os.path.isdir(path) else 'file'}: {error.strerror}")
    except Exception as error:
        score = unreadable(str(error) or type(error).__name__)
    trouble = _overlay_error(overlay, image, score) if overlay and image and score.error is None else ""
    return Scored(
        path=path,
        score=score,
        peaks=peaks,
        model=models.classifier.card.name,
        seconds=time.perf_counter() - start,
        remarks=remarks,
        overlay_error=trouble,
        um_per_px=scale.um_per_px if scale else None,
        was_read=was_read,
    )


def content_in(path: Path) -> bytes:
    """Return the bytes of an image file.

    Raises
    ------
    OSError
        If it cannot be read.
    ImageError
        If it is no regular file, or larger than any image.
    """
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # a pipe may never answer
        raise ImageError("it is no regular file, but a pipe, a socket or a device; name a file that is an image")
    if status.st_size > MAX_BYTES:
        raise ImageError(f"the image file has {status.st_size} bytes; at most {MAX_BYTES} are read")
    return path.read_bytes()


def _overlay_error(overlay: Path, image: DecodedImage, score: ImageScore) -> str:
    """Write the picture with frames; return what kept it from being written."""
    picture = overlay_jpeg(image, score)
    try:
        write_whole(overlay, picture)
    except OSError as error:
        return f"{overlay}: {error.strerror}"
    return ""


def _start_worker(job: Job) -> None:
    _worker["job"] = (job, models_in(job.models, job.named))


def _score_in_worker(entry: tuple[int, Path]) -> Scored:
    number, path = entry
    job, models = _worker["job"]
    overlay = job.overlays / overlay_name(number, path) if job.overlays else None
    return score_file(path, models, job.parameters, overlay=overlay, scales=job.scales)


def overlay_name(number: int, path: Path) -> str:
    """Return what the picture of input `number` is called; two inputs may have one name."""
    return f"{number:05d}_{_short(path.stem)}.jpg"


def make_folder(overlays: Path) -> None:
    """Make the folder for pictures.

    Raises
    ------
    UserError
        If that cannot be done.
    """
    try:
        overlays.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {overlays}: {error.strerror}; name another --overlays") from error


def _short(stem: str) -> str:
    """Return the beginning of a name, so long that a number and a suffix beside it are no trouble."""
    return (
        os.fsencode(stem)[:MAX_STEM_BYTES].decode(errors="ignore") if len(os.fsencode(stem)) > MAX_STEM_BYTES else stem
    )


def peaks_for_ranking(
    score: ImageScore, image: DecodedImage | None, models: Models, parameters: Parameters
) -> tuple[float, ...]:
    """Return the groups' peaks, so that all images can be ranked, also one whose drop was overlooked.

    Where no drop was found they are those of the whole image, by half: most such images hold none.
    """
    if score.group_peaks or image is None:
        return score.group_peaks
    whole = first_opinion(image, models, replace(parameters, no_drop="whole_image"))
    return tuple(WITHOUT_DROP * peak for peak in whole.group_peaks)


def unreadable(reason: str) -> ImageScore:
    """Return the score of an image that could not be scored."""
    return ImageScore(height_px=0, width_px=0, error=printable(reason))


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
    begun = partial(pool_of, start=_start_worker, arguments=(job,))
    answers = in_order(_score_in_worker, enumerate(paths), workers, killed=_killed, begun=begun)
    yield from (found for _, found in answers)


def _killed(entry: tuple[int, Path]) -> Scored:
    score = unreadable("the program was killed while it read this image")
    return Scored(path=entry[1], score=score, peaks=(), model="", seconds=0.0, was_read=False)


def row(found: Scored) -> dict[str, Cell]:
    """Return what was found by column, in the order of `COLUMNS`; None where there is nothing to say."""
    score = found.score
    cells: dict[str, Cell] = dict.fromkeys(COLUMNS)
    cells |= score_cells(score) | {
        "path": str(found.path),
        "outcome": found.outcome,
        "above_threshold": score.above_threshold if score.score else None,
        "classifier": found.model,
        "seconds": found.seconds,
        "remarks": "; ".join(found.remarks) or None,
        "error": score.error,
    }
    if score.crystals and found.um_per_px:
        cells["longest_um"] = found.um_per_px * max(each.long_px for each in score.crystals)
    if score.error is None:
        peaks = found.peaks or (0.0,) * len(GROUPS)
        cells |= {f"p_{group}": peak for group, peak in zip(GROUPS, peaks, strict=True)}
    return cells


def csv_row(found: Scored) -> dict[str, str]:
    """Return the row as the CSV file has it: numbers rounded, empty cells where there is nothing to say."""
    return written_rounded(row(found))


def written_rounded(cells: Mapping[str, Cell]) -> dict[str, str]:
    """Return cells as the CSV file has them."""
    return written({column: _rounded(column, value) for column, value in cells.items()})


def _rounded(column: str, value: Cell) -> Cell:
    return f"{value:.{DECIMALS.get(column, 6)}f}" if isinstance(value, float) else value
