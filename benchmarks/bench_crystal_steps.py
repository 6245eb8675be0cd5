"""Where the time goes when crystals are found in suspensions: ``python -m benchmarks.bench_crystal_steps FOLDER``.

FOLDER has pictures, as of ``render suspension``. One thread, processor time in milliseconds, by the shipped detector:
the mean over the pictures of the median of several rounds. The network is asked about an empty picture, too, in which
it looks at no place again: what it takes more of the others is for further looks.

``--against CHECKOUT`` asks another checkout of the program about the same pictures, in turns with this one, so that
whatever else the machine does befalls both, and says whether it finds the same crystals.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, table
from crystal_search.crystals.contrast import with_contrasts
from crystal_search.crystals.decoding import Decoding, candidates, distinct
from crystal_search.crystals.finding import dense_maps
from crystal_search.images import decode, normalised, to_grey
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import CrystalCard

HERE = Path(__file__).resolve().parents[1]
APART = 1e-6  #: by which lengths, angles and areas of the same crystals may differ
Answer = TypeVar("Answer")

#: Prints, for each picture, the milliseconds of each round, and what was found.
IN_A_CHECKOUT = """
import json, sys, time
from pathlib import Path
from crystal_search.crystals.finding import find_crystals
from crystal_search.images import decode
from crystal_search.inference import OnnxNetwork
from crystal_search.model import in_role, read_model
from crystal_search.model_card import CrystalCard

detector = OnnxNetwork(in_role(read_model(Path(sys.argv[1])), CrystalCard))
told = []
for name in sys.argv[3:]:
    image, taken = decode(Path(name).read_bytes()), []
    found = find_crystals(image, detector)
    for _ in range(int(sys.argv[2])):
        began = time.process_time()
        find_crystals(image, detector)
        taken.append(1000 * (time.process_time() - began))
    told.append((taken, [(each.probability, *each.box, each.contrast or 0.0, each.area_px2) for each in found]))
print(json.dumps(told))
"""


class Steps:
    """The processor milliseconds that each step took, picture by picture."""

    def __init__(self) -> None:
        self.taken_ms: dict[str, list[float]] = defaultdict(list)

    def of(self, name: str, does: Callable[[], Answer]) -> Answer:
        """Return what a step gives, and keep what it took."""
        began = time.process_time()
        answer = does()
        self.taken_ms[name].append(1000 * (time.process_time() - began))
        return answer


def timed(data: bytes, detector: Network[CrystalCard], steps: Steps) -> int:
    """Find the crystals of a picture step by step, as `find_crystals` does; return how many there are."""
    card = detector.card
    decoding = Decoding(least=card.least_probability, most_overlap=card.most_overlap)
    image = steps.of("decode", lambda: decode(data))
    grey = steps.of("grey, at its width", lambda: card.sight.of(to_grey(image.colour)))
    view = steps.of("local contrast", lambda: normalised(grey, card.normalisation))
    steps.of("(network, nothing there)", lambda: dense_maps(np.zeros_like(view), detector))
    maps = steps.of("network", lambda: dense_maps(view, detector))
    told = steps.of("boxes of the peaks", lambda: candidates(maps, decoding))
    once = steps.of("no box twice", lambda: told.of(distinct(told.boxes, decoding.most_overlap)))
    crystals = steps.of("outlines", once.crystals)
    return len(steps.of("contrasts", lambda: with_contrasts(crystals, grey)))


def step_rows(pictures: Sequence[Path], rounds: int) -> list[Row]:
    """Return the time of each step, and of all but those in brackets together."""
    detector = OnnxNetwork(default_model(CrystalCard))
    ways: dict[str, list[float]] = defaultdict(list)
    found = 0
    for picture in pictures:
        steps, data = Steps(), picture.read_bytes()
        found += timed(data, detector, Steps())  # the first is no measure
        for _ in range(rounds):
            timed(data, detector, steps)
        for name, taken in steps.taken_ms.items():
            ways[name].append(median(taken))
    rows = [Row(f"{name}, ms", f"{mean(taken):.1f}") for name, taken in ways.items()]
    whole = sum(mean(taken) for name, taken in ways.items() if not name.startswith("("))
    return [*rows, Row("together, ms", f"{whole:.1f}"), Row(f"crystals in {len(pictures)} pictures", str(found))]


def asked(checkout: Path, pictures: Sequence[Path], rounds: int) -> list[tuple[list[float], list[list[float]]]]:
    """Return what a checkout of the program takes and finds, picture by picture, by the same detector."""
    card = HERE / "crystal_search/models" / f"{default_model(CrystalCard).card.name}.card.json"
    words = [sys.executable, "-c", IN_A_CHECKOUT, str(card), str(rounds), *map(str, pictures)]
    surroundings = os.environ | {"PYTHONPATH": str(checkout)}
    ended = subprocess.run(words, capture_output=True, text=True, check=True, env=surroundings, cwd=checkout)
    answer: list[tuple[list[float], list[list[float]]]] = json.loads(ended.stdout)
    return answer


def turn_rows(other: Path, pictures: Sequence[Path], rounds: int) -> list[Row]:
    """Return what both checkouts take from the decoded picture on, each asked three times in turns."""
    turns = [[asked(checkout, pictures, rounds) for checkout in (other, HERE)] for _ in range(3)]
    taken = [mean(median(ms) for turn in turns for ms, _ in turn[which]) for which in (0, 1)]
    before, now = ([_numbers(found) for _, found in answers] for answers in turns[0])
    same = all(a.shape == b.shape and np.allclose(a, b, rtol=0, atol=APART) for a, b in zip(before, now, strict=True))
    return [
        Row(f"find_crystals of {other}, ms", f"{taken[0]:.1f}"),
        Row("find_crystals here, ms", f"{taken[1]:.1f}"),
        Row("here, of that", f"{taken[1] / taken[0]:.2f}"),
        Row(f"the same crystals, to {APART:g}", "yes" if same else "no", "yes", same),
    ]


def _numbers(found: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
    return np.array(found, np.float64).reshape(len(found), -1)


def main() -> None:
    """Print a table of processor times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of pictures")
    parser.add_argument("--rounds", type=int, default=5, help="of each picture (default: %(default)s)")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout of the program")
    arguments = parser.parse_args()
    pictures = sorted(each.resolve() for each in arguments.folder.glob("*.png"))
    if not pictures:
        parser.error(f"no .png in {arguments.folder}; name the folder images of what render suspension wrote")
    rows = step_rows(pictures, arguments.rounds)
    if arguments.against:
        rows += turn_rows(arguments.against.resolve(), pictures, arguments.rounds)
    sys.stdout.write(f"{table(rows)}\n")
    sys.exit(any(row.reached is False for row in rows))


if __name__ == "__main__":
    main()
