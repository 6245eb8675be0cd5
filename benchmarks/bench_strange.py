"""``python -m benchmarks.bench_strange``: which pictures are called strange, how soon many are said, and false alarms.

Wells of one imager are rendered and scored by the shipped models, and histories drawn from them at random. Other wells
of the imager are spoilt, so that no spoilt picture shows a well of a history. How soon many strange images are said
depends on their share only: streams are random numbers.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from benchmarks.bench_sentinel import scenes
from benchmarks.table import Row, table
from crystal_search.errors import UserError
from crystal_search.metrics import Floats
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.sentinel.imager_faults import IMAGES_TO_FALSE_ALARM
from crystal_search.sentinel.strange_images import FALSE_ALARMS, Ordinary, ordinary
from crystal_search.sentinel.strange_often import strange_at_most, strange_often
from crystal_search.server.services.strange_records import HISTORY
from crystal_search.synthesis.pictures.camera import photographed
from crystal_search.synthesis.wells.rendered_well import levels_of
from crystal_search.work_unit import Parameters

HISTORIES = 30
QUALITY = 85  #: of the JPEG files that are scored
DISTANCES = HISTORY // 2
STREAMS = 200  #: of each share
SHARES = (0.9, 0.67, 0.4, 0.25, 0.2, 0.15)  #: of images that are strange
WITHIN = 1000  #: images of a stream

Picture = NDArray[np.uint8]  #: (rows, columns, 3) RGB


def noisy(picture: Picture, *, sigma: float = 40) -> Picture:
    """Return a picture with noise, in grey levels of each colour; other noise for each picture, again the same."""
    noise = np.random.default_rng(int(picture.sum())).normal(0, sigma, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def mosaic(picture: Picture, *, side_px: int = 10) -> Picture:
    """Return a picture in which squares have one colour."""
    image = Image.fromarray(picture)
    small = image.resize((image.width // side_px, image.height // side_px))
    return np.asarray(small.resize(image.size, Image.Resampling.NEAREST))


def blurred(picture: Picture, *, sigma_px: float = 6) -> Picture:
    """Return a picture out of focus."""
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(sigma_px)))


def enlarged(picture: Picture) -> Picture:
    """Return the middle of a picture, twice as large."""
    image = Image.fromarray(picture)
    middle = (image.width // 4, image.height // 4, image.width * 3 // 4, image.height * 3 // 4)
    return np.asarray(image.resize(image.size, box=middle))


def inverted(picture: Picture) -> Picture:
    """Return the negative of a picture."""
    return np.asarray(ImageOps.invert(Image.fromarray(picture)))


SPOILT: dict[str, Callable[[Picture], Picture]] = {
    "noise, sigma 40 grey levels": noisy,
    "every 10 x 10 px of one colour": mosaic,
    "blur, sigma 6 px": blurred,
    "the middle, enlarged twice": enlarged,
    "inverted": inverted,
}


def pictures(imager: int, numbers: Sequence[int]) -> Iterator[Picture]:
    """Yield pictures of rendered wells of an imager."""
    for scene, rng in scenes(imager, numbers):
        yield photographed(rng, levels_of(scene), scene.optics)


def pictures_of_others(imager: int, count: int) -> Iterator[Picture]:
    """Yield a picture of each of the next imagers."""
    for number in range(count):
        yield from pictures(imager + 1 + number, range(number, number + 1))


def features_of(among: Iterable[Picture], models: Models) -> Floats:
    """Return the features of pictures in which a drop is found, (N, numbers)."""
    files = (simplejpeg.encode_jpeg(np.ascontiguousarray(each), quality=QUALITY) for each in among)
    found = [score_data(data, models, Parameters())[0].features for data in files]
    return np.array([each for each in found if each is not None], np.float64)


def spoilt_features(imager: int, numbers: Sequence[int], models: Models) -> dict[str, Floats]:
    """Return the features of pictures that are out of the ordinary, by what they are."""
    plain = [*pictures(imager, numbers)]
    found = {what: features_of(map(spoil, plain), models) for what, spoil in SPOILT.items()}
    return found | {"wells of other imagers": features_of(pictures_of_others(imager, len(numbers)), models)}


def drawn_history(wells: Floats, seed: int) -> tuple[Ordinary, Floats]:
    """Return what is ordinary by a history drawn from wells, and the features of the others."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(wells))
    return ordinary(wells[order[:HISTORY]], rng), wells[order[HISTORY:]]


def called_strange(wells: Floats, spoilt: Mapping[str, Floats]) -> Iterator[Row]:
    """Yield how many of each kind of pictures are strange, over histories."""
    p_values: dict[str, list[Floats]] = {}
    for seed in range(HISTORIES):
        usual, others = drawn_history(wells, seed)
        for what, features in {"the other wells of this imager": others, **spoilt}.items():
            p_values.setdefault(what, []).append(usual.p_values(features))
    for what, each in p_values.items():
        yield Row(f"{what}, {len(each[0])}", _shares_told(np.array(each)))


def _shares_told(p_values: Floats) -> str:
    """Return the mean, least and most share of strange images, of p-values (histories, images)."""
    strange, beyond = ((p_values <= rare).mean(axis=1) for rare in (FALSE_ALARMS, 1 / (DISTANCES + 1)))
    spread = f"{strange.mean():.1%}, {strange.min():.1%} to {strange.max():.1%}"
    return f"{spread}; beyond the whole history {beyond.mean():.2%}"


def said_after(share: float, seed: int) -> float:
    """Return after how many images of a random stream it is said that many are strange; infinite if it is not."""
    stream = np.random.default_rng(seed).random(WITHIN) < share
    alarms = strange_often(stream.tolist(), FALSE_ALARMS, DISTANCES)
    return alarms[0].image if alarms else np.inf


def how_soon(share: float) -> Row:
    """Return how soon it is said that a share of images is strange."""
    after = np.array([said_after(share, seed) for seed in range(STREAMS)])
    median, most = map(_images_told, np.quantile(after, (0.5, 0.95), method="higher"))
    said = f"{np.isfinite(after).mean():.1%} of {STREAMS} streams within {WITHIN}"
    return Row(f"{share:.0%} strange, said after", f"median {median}, in 95 % {most}; {said}")


def _images_told(count: float) -> str:
    return f"{count:.0f}" if np.isfinite(count) else f"more than {WITHIN}"


def false_alarms(images: int) -> Row:
    """Return how often chance is said, where images are strange as often as the bound allows."""
    rate = strange_at_most(FALSE_ALARMS, DISTANCES)
    stream = np.random.default_rng(0).random(images) < rate
    found, allowed = len(strange_often(stream.tolist(), FALSE_ALARMS, DISTANCES)), images / IMAGES_TO_FALSE_ALARM
    return Row(f"false alarms, {rate:.1%} strange", f"{found} in {images} images", f"<= {allowed:g}", found <= allowed)


def rows(imager: int, wells: int, spoilt: int, images: int) -> list[Row]:
    """Return every figure of this module.

    Raises
    ------
    UserError
        If no well would be left beside a history.
    """
    torch.set_num_threads(1)
    models = loaded([default_model(ClassifierCard), default_model(DropCard)])
    features = features_of(pictures(imager, range(wells)), models)
    if len(features) <= HISTORY:
        raise UserError(f"{len(features)} of {wells} wells show a drop, a history has {HISTORY}; render more wells")
    kinds = spoilt_features(imager, range(wells, wells + spoilt), models)
    return [*called_strange(features, kinds), *map(how_soon, SHARES), false_alarms(images)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imager", type=int, default=3, help="number of the imager, a seed; others are the next ones")
    parser.add_argument("--wells", type=int, default=1000, help="that histories are drawn from")
    parser.add_argument("--spoilt", type=int, default=100, help="more wells to be spoilt, and other imagers")
    parser.add_argument("--images", type=int, default=500_000, help="in which nothing is the matter")
    arguments = parser.parse_args()
    found = rows(arguments.imager, arguments.wells, arguments.spoilt, arguments.images)
    print(table(found))
    sys.exit(any(row.reached is False for row in found))
