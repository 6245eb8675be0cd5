"""How often two honest hosts disagree: ``python -m benchmarks.bench_quorum [--wells N] [--noise SIGMA ...]``.

Another processor is played by noise on the logits of both networks, since every difference that it makes passes there.
ONNX Runtime differs by some 1e-6 between processors; 1e-4 is far more than any should.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from benchmarks.table import Row, table
from crystal_search.demo.truth import plate_folder
from crystal_search.inference import Maps, Network
from crystal_search.model import Card_co, default_models, default_models_folder
from crystal_search.outcomes import IMAGE_OUTCOMES
from crystal_search.result import ImageScore
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.server.engines.boinc.agreement import score_disagreement
from crystal_search.server.settings import Settings
from crystal_search.work_unit import Parameters

FIRST_WELL = 900_000  #: number of the first rendered test well, far from those that networks were judged on
WANTED = 0.01  #: at most, of honest pairs of images, refused

log = logging.getLogger(__name__)


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
    return Models(NoisyNetwork(models.classifier, noise, rng), NoisyNetwork(models.drop, noise, rng))


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


def rows(name: str, images: Sequence[bytes], noises: Sequence[float]) -> Iterator[Row]:
    """Yield for each noise how many pairs of hosts disagree about an image, and in what."""
    models = loaded(default_models(default_models_folder()))
    for noise in noises:
        pairs = (pair(data, models, noise, seed) for seed, data in enumerate(images))
        said = Counter(score_disagreement(*each, Settings().boinc_tolerance) for each in pairs)
        refused = len(images) - said.pop("", 0)
        for trouble, count in said.items():
            log.info("%s, noise %g: %d times %s", name, noise, count, trouble)
        figure, share = f"{refused} of {len(images)}", refused / len(images)
        yield Row(f"{name}, noise {noise:g}", figure, f"at most {WANTED:.0%}", share <= WANTED)


def main() -> None:
    """Measure and print a table."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, default=100, help="rendered wells beside the demo plate (default: 100)")
    parser.add_argument("--noise", type=float, nargs="+", default=[1e-4], help="of logits (default: 1e-4)")
    arguments = parser.parse_args()
    found = [*rows("demo plate", list(demo_images()), arguments.noise)]
    if arguments.wells:
        found += rows("rendered wells", list(rendered_images(arguments.wells)), arguments.noise)
    print(table(found))


if __name__ == "__main__":
    main()
