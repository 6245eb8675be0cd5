"""How often two honest hosts disagree: ``python -m benchmarks.bench_quorum [--wells N] [--noise SIGMA ...]``.

Another processor is played by noise on the answers of all networks, the crystal detector's too, since every difference
that it makes passes there. ONNX Runtime differs by some 1e-6 between processors; 1e-4 is far more than any should.

Where another processor is at hand nothing is played: ``--keep FILE`` on one writes what it says of the images, and
``--against FILE`` on the other compares.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from benchmarks.table import Row, table
from crystal_search.demo.truth import plate_folder
from crystal_search.direct.as_installed import Installed
from crystal_search.inference import Maps, Network
from crystal_search.model import Card_co, default_models, default_models_folder, sha256_of
from crystal_search.outcomes import IMAGE_OUTCOMES
from crystal_search.result import ImageResult, ImageScore, image_result_to_json
from crystal_search.result_reader import image_result_from_json
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.server.engines.boinc.agreement import score_disagreement
from crystal_search.server.engines.boinc.crystal_agreement import Tolerance
from crystal_search.server.settings import Settings
from crystal_search.work_unit import Parameters

FIRST_WELL = 900_000  #: number of the first rendered test well, far from those that networks were judged on
WANTED = 0.01  #: at most, of honest pairs of images, refused
PER_UNIT = Settings().images_per_unit

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RememberingNetwork(Generic[Card_co]):
    """A network that is asked once about a batch, however many hosts are played with it."""

    network: Network[Card_co]
    last: list[tuple[bytes, Maps]] = field(default_factory=list)  #: the last batch and its maps

    @property
    def card(self) -> Card_co:
        """What the network is and reads."""
        return self.network.card

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's first map."""
        return self.maps(batch)[self.card.outputs[0].name]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        """Return the network's maps."""
        asked = batch.tobytes()
        if not self.last or self.last[0][0] != asked:
            self.last[:] = [(asked, self.network.maps(batch))]
        return self.last[0][1]


@dataclass(frozen=True, slots=True)
class NoisyNetwork(Generic[Card_co]):
    """A network whose answers are off by normal noise."""

    network: Network[Card_co]
    noise: float  #: standard deviation
    rng: np.random.Generator

    @property
    def card(self) -> Card_co:
        """What the network is and reads."""
        return self.network.card

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's first map with noise."""
        return self._off(self.network.logits(batch))

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        """Return the network's maps with noise."""
        return {name: self._off(each) for name, each in self.network.maps(batch).items()}

    def _off(self, map_: NDArray[np.float32]) -> NDArray[np.float32]:
        return (map_ + self.rng.normal(0, self.noise, map_.shape)).astype(np.float32)


def on_another_host(models: Models, noise: float, seed: int) -> Models:
    """Return the models as a host with another processor has them."""
    rng = np.random.default_rng(seed)
    return Models(
        NoisyNetwork(models.classifier, noise, rng),
        NoisyNetwork(models.drop, noise, rng),
        crystals=NoisyNetwork(models.crystals, noise, rng) if models.crystals else None,
    )


def shipped_models() -> Models:
    """Return the models that come with the program, the crystal detector for drops among them."""
    return loaded([*default_models(default_models_folder()), Installed().detector(None, drops=True)])


def remembering(models: Models) -> Models:
    """Return models that are asked once about each batch."""
    return Models(
        RememberingNetwork(models.classifier),
        RememberingNetwork(models.drop),
        crystals=RememberingNetwork(models.crystals) if models.crystals else None,
    )


def demo_images() -> Iterator[bytes]:
    """Yield the images of the demo plate."""
    for path in sorted(plate_folder().glob("*.jpg")):
        yield path.read_bytes()


def rendered_images(count: int) -> Iterator[bytes]:
    """Yield so many rendered wells, of all outcomes in turn."""
    from crystal_search.synthesis.seeds import WellSeed
    from crystal_search.synthesis.wells.rendered_well import render_well

    for number in range(count):
        outcome = IMAGE_OUTCOMES[number % len(IMAGE_OUTCOMES)]
        well = render_well(WellSeed("test", FIRST_WELL + number), outcome=outcome)
        yield bytes(simplejpeg.encode_jpeg(well.image, quality=90))


def pair(data: bytes, models: Models, noise: float, seed: int) -> tuple[ImageScore, ImageScore]:
    """Return what two hosts say about an image."""
    hosts = (on_another_host(models, noise, 2 * seed), on_another_host(models, noise, 2 * seed + 1))
    one, other = (score_data(data, host, Parameters())[0] for host in hosts)
    return one, other


def tolerance() -> Tolerance:
    """Return what a server tolerates that nobody has set anything of."""
    return Tolerance(probability=Settings().boinc_tolerance, detector=Installed().detector(None, drops=True).card)


def rows(name: str, images: Sequence[bytes], noises: Sequence[float]) -> Iterator[Row]:
    """Yield for each noise how many pairs of hosts disagree about an image."""
    models = remembering(shipped_models())
    said = [Counter[str]() for _ in noises]
    for seed, data in enumerate(images):
        for noise, troubles in zip(noises, said, strict=True):
            troubles[score_disagreement(*pair(data, models, noise, seed), tolerance())] += 1
    for noise, troubles in zip(noises, said, strict=True):
        yield from refused(f"{name}, noise {noise:g}", troubles)


def refused(name: str, troubles: Counter[str]) -> Iterator[Row]:
    """Yield how many pairs were refused, of all whose trouble was counted, and what that makes of work units."""
    count = troubles.total() - troubles[""]
    for trouble, times in troubles.items():
        log.info("%s: %d times %s", name, times, trouble or "nothing")
    share = count / troubles.total()
    yield Row(name, f"{count} of {troubles.total()}", f"at most {WANTED:.0%}", share <= WANTED)
    yield Row(f"{name}, work units of {PER_UNIT}", f"{1 - (1 - share) ** PER_UNIT:.2%}")


def kept(images: Sequence[bytes]) -> Iterator[ImageResult]:
    """Yield what this processor says of each of the images."""
    models = shipped_models()
    for number, data in enumerate(images):
        yield ImageResult(id=str(number), sha256=sha256_of(data), score=score_data(data, models, Parameters())[0])


def against(path: Path, images: Sequence[bytes]) -> Iterator[Row]:
    """Yield how often this processor disagrees with the one that wrote the file at `path`."""
    others = [image_result_from_json(line) for line in path.read_bytes().splitlines()]
    pairs = list(zip(kept(images), others, strict=True))
    if strange := [one.id for one, other in pairs if one.sha256 != other.sha256]:
        raise SystemExit(f"{path} is about another image {strange[0]}: give the same --wells")
    yield from refused(str(path), Counter(score_disagreement(a.score, b.score, tolerance()) for a, b in pairs))
    same = sum(replace(a.score, seconds={}) == replace(b.score, seconds={}) for a, b in map(_as_written, pairs))
    yield Row(f"{path}, the same to the last digit", f"{same} of {len(pairs)}")


def _as_written(pair: tuple[ImageResult, ImageResult]) -> tuple[ImageResult, ImageResult]:
    """Return the first result of a pair as exact as the second was read."""
    return image_result_from_json(image_result_to_json(pair[0]).encode()), pair[1]


def main() -> None:
    """Measure and print a table."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, default=100, help="rendered wells beside the demo plate (default: 100)")
    parser.add_argument("--noise", type=float, nargs="+", default=[1e-4], help="of answers (default: 1e-4)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write what this processor says, and no more")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare this processor with that of FILE")
    arguments = parser.parse_args()
    demo, rendered = list(demo_images()), list(rendered_images(arguments.wells))
    if arguments.keep:
        arguments.keep.write_text("".join(f"{image_result_to_json(each)}\n" for each in kept([*demo, *rendered])))
    elif arguments.against:
        print(table(list(against(arguments.against, [*demo, *rendered]))))
    else:
        found = [*rows("demo plate", demo, arguments.noise)]
        print(table([*found, *(rows("rendered wells", rendered, arguments.noise) if rendered else ())]))


if __name__ == "__main__":
    main()
