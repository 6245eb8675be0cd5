"""How long detectors of crystals take beside each other: the dense one, Mask R-CNN as it is trained here, and stock.

Run with ``python -m benchmarks.bench_detectors --image PICTURE --crystals N`` where torchvision is installed (the
environment of ``make mask-rcnn``). All are run by ONNX Runtime in one thread, in turns, so that whatever else the
machine does befalls all of them; what is told is processor time, from the decoded picture to its crystals.

Weights are drawn, unless ``--dense CARD`` names a trained detector. Mask R-CNN looks at up to 1000 boxes that it
proposes, whatever it learnt, and makes a mask for each thing that it finds; it is told to find as many as there are.
Drawn weights of the dense detector find nothing, so that reading boxes from its maps costs nothing.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from PIL import Image as Pillow

from benchmarks.table import Row, table
from crystal_search.crystals.finding import find_crystals
from crystal_search.exporting.export import batch_of, write_onnx
from crystal_search.images import DecodedImage, decode, picture_file
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import Model, in_role, read_model
from crystal_search.model_card import CrystalCard
from crystal_search.networks.network_kinds import build, crystal_detector_card

STOCK_PX = 800  #: to which torchvision's Mask R-CNN enlarges the shorter side of an image
MOST_MS, LEAST_RATIO = 80, 10  #: of the dense detector; of stock Mask R-CNN over that
SEED = 0


def drawn_model(architecture: str, crystals: int) -> Network[CrystalCard]:
    """Return a detector with drawn weights as ONNX Runtime runs it; one that answers by instances tells `crystals`."""
    card = crystal_detector_card(architecture, architecture, normalisation="local-contrast-1", working_width_px=1224)
    torch.manual_seed(SEED)
    network = build(architecture, 1).eval()
    if parts := getattr(network, "detector", None):
        parts.roi_heads.detections_per_img = crystals
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / card.file
        write_onnx(network, file, [each.name for each in card.outputs], batch=batch_of(card))
        return OnnxNetwork(Model(replace(card, least_probability=0.05), file.read_bytes()))


def enlarged(image: DecodedImage, shorter_px: int) -> DecodedImage:
    """Return an image whose shorter side has so many pixels."""
    scale = shorter_px / min(image.height_px, image.width_px)
    size = round(image.width_px * scale), round(image.height_px * scale)
    return decode(picture_file(Pillow.fromarray(image.colour).resize(size)))


def in_turns(ways: Iterable[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Return the processor milliseconds that each of several ways took in each round; a first round is not told."""
    ways = list(ways)
    taken: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        for way, times in zip(ways, taken, strict=True):
            began = time.process_time()
            way()
            if number:
                times.append(1000 * (time.process_time() - began))
    return taken


def _size(image: DecodedImage) -> str:
    return f"{image.width_px} x {image.height_px} px"


def main() -> None:
    """Print a table of processor times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True, help="a suspension")
    parser.add_argument("--crystals", type=int, default=50, help="that are in it (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dense", type=Path, metavar="CARD", help="a trained dense detector")
    arguments = parser.parse_args()
    image = decode(arguments.image.read_bytes())
    dense = (
        OnnxNetwork(in_role(read_model(arguments.dense), CrystalCard))
        if arguments.dense
        else drawn_model("dense-crystals", arguments.crystals)
    )
    light, stock = (drawn_model(f"mask-rcnn-{name}", arguments.crystals) for name in ("light", "resnet50"))
    large = enlarged(image, STOCK_PX)
    ways = [(dense, image), (light, image), (stock, image), (stock, large)]
    taken = in_turns([partial(find_crystals, seen, network) for network, seen in ways], arguments.rounds)
    first = median(taken[0])
    rows = [Row(f"dense-crystals, {_size(image)}", f"{first:.0f} ms", f"at most {MOST_MS} ms", first <= MOST_MS)]
    for (network, seen), times in list(zip(ways, taken, strict=True))[1:]:
        ratio = median(times) / first
        stock_one = network is stock
        rows.append(
            Row(
                f"{network.card.architecture}, {_size(seen)}",
                f"{median(times):.0f} ms, {ratio:.1f} times",
                f"at least {LEAST_RATIO} times" if stock_one else "",
                ratio >= LEAST_RATIO if stock_one else None,
            )
        )
    sys.stdout.write(f"{table(rows)}\n")
    sys.stdout.write(f"{arguments.rounds} rounds in turns, one thread, processor time\n")


if __name__ == "__main__":
    main()
