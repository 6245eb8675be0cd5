"""What ``import crystal_search`` offers notebooks and scripts (docs/python.md).

It scores as the command ``score`` does, with the same function; only files are read by threads of this process.
"""

import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystal_search.columns import Cell
from crystal_search.direct.as_installed import as_installed, models_in
from crystal_search.direct.file_scales import FileScales, scales_of
from crystal_search.direct.named_images import inputs, told_once
from crystal_search.direct.scored_files import row, score_file
from crystal_search.errors import ImageError, UserError
from crystal_search.images import from_array
from crystal_search.processes import processors
from crystal_search.result import ImageScore
from crystal_search.scoring.pipeline import Models, score_image
from crystal_search.work_unit import Parameters

__all__ = ["ImageScore", "LoadedModels", "load", "score", "score_many"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """Models in memory, and how to score with them."""

    networks: Models
    parameters: Parameters
    scales: FileScales = field(default_factory=FileScales)  #: what an installation says of its images' scales


def load(
    folder: PathLike | None = None, *, home: PathLike | None = None, threshold: float | None = None
) -> LoadedModels:
    """Load the models to score with.

    Parameters
    ----------
    folder
        Of models; by default those that come with the package.
    home
        The folder of an installation: its models in use, its threshold, its ``crystals_from`` and the scales of its
        imagers, so that scores are those it would give.
    threshold
        The probability that a group must reach in a chop to count for the image, in (0, 1]; by default the
        installation's, else 0.85.

    Raises
    ------
    UserError
        If both folders are given, `home` is no installation, or the threshold cannot be.
    ModelError
        If the folder does not hold one model of each role to use.

    Examples
    --------
    >>> models = load(threshold=0.9)
    >>> models.networks.classifier.card.name
    'squeezenet-wells-2'
    """
    if folder is not None and home is not None:
        raise UserError("got a folder of models and a home; give one of them")
    if threshold is not None and not 0 < threshold <= 1:
        raise UserError(f"the threshold must be above 0 and at most 1, got {threshold}")
    if "" in (folder, home):
        raise UserError("got '' for a folder of models or a home; name one, or leave it out")
    place, models = (None if each is None else Path(each) for each in (home, folder))
    installed = as_installed(place, models=models)
    settings = installed.settings
    parameters = Parameters(threshold=threshold or settings.threshold, crystals_from=settings.crystals_from)
    return LoadedModels(models_in(installed.models), parameters, scales_of(None, settings))


_usual = cache(load)


def score(image: PathLike | NDArray[np.generic], models: LoadedModels | None = None) -> ImageScore:
    """Score one image: where its drop is, what is in it, and how probable that is.

    Parameters
    ----------
    image
        A file (JPEG, PNG, TIFF or BMP), or its pixels: grey of shape (rows, columns) or RGB of shape
        (rows, columns, 3), uint8 or uint16, each side 128 to 10000 px.
    models
        From `load`; by default the package's own, which are loaded once.

    Returns
    -------
    ImageScore
        Positions are in pixels of the image, rows before columns. `outcome` is ``no_drop`` and `score` None where no
        drop was found.

    Raises
    ------
    ImageError
        If the image cannot be read or used.

    Examples
    --------
    >>> from crystal_search.demo.truth import plate_folder
    >>> found = score(plate_folder() / "demo_10D_1.jpg")
    >>> found.outcome, found.probability > 0.9, found.above_threshold
    ('crystal_harvestable', True, True)
    >>> max(found.probabilities, key=found.probabilities.get)
    'crystal_harvestable'
    >>> found.drop.box
    Box(top=196, left=349, bottom=755, right=875)
    >>> score(np.zeros((600, 800)))
    Traceback (most recent call last):
    crystal_search.errors.ImageError: the pixels are float64; expected uint8 or uint16
    """
    chosen = models or _usual()
    if not isinstance(image, str | os.PathLike):
        pixels = from_array(np.asarray(image), at_least_width_px=chosen.networks.decode_width_px)
        return score_image(pixels, chosen.networks, chosen.parameters)
    found = score_file(Path(image), chosen.networks, chosen.parameters).score
    if found.error is not None:
        raise ImageError(f"{os.fspath(image)}: {found.error}")
    return found


def score_many(
    images: PathLike | Iterable[PathLike], models: LoadedModels | None = None, *, workers: int | None = None
) -> list[dict[str, Cell]]:
    """Score files and return a row for each, as ``crystal-search score`` writes them (docs/columns.md).

    Parameters
    ----------
    images
        A file, a folder, which stands for its images at any depth, or several of these.
    models
        From `load`; by default the package's own, which are loaded once.
    workers
        Images at a time; by default one for each processor.

    Returns
    -------
    list of dict
        One for each image in the order given, a folder's sorted by name, from column to value; None where there is
        nothing to say. An image that cannot be read is a row, too: its column `error` tells why. One that is named
        again, by whatever path, is scored once and has one row, where it is named first; a warning says so.

    Raises
    ------
    UserError
        If there are no images.

    Examples
    --------
    >>> from crystal_search.demo.truth import plate_folder
    >>> rows = score_many([plate_folder() / "demo_10D_1.jpg", "missing.jpg"])
    >>> [(row["outcome"], row["error"]) for row in rows]
    [('crystal_harvestable', None), ('not_scored', 'cannot read the file: No such file or directory')]
    """
    chosen = models or _usual()
    named = [images] if isinstance(images, str | os.PathLike) else images
    one = partial(score_file, models=chosen.networks, parameters=chosen.parameters, scales=chosen.scales)
    paths, again = told_once(inputs([Path(each) for each in named]))
    if again:
        warnings.warn(again, stacklevel=2)
    with ThreadPoolExecutor(workers or processors()) as pool:
        return [row(found) for found in pool.map(one, paths)]
