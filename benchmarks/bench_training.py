"""Training speed of each network beside a plain torch loop: ``python -m benchmarks.bench_training [DATASET]``.

The plain loop is what torchvision's reference script does: Pillow decodes JPEG files in a DataLoader, flips them,
brings them to [0, 1] and subtracts a mean; gradient descent with momentum in float32 on the same network. Both see
the same chops of DATASET (default: runs/chops) on one thread. Seconds are those of the processor, so that other
programs on the machine count little; two lengths are subtracted, so that the beginning does not count.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.table import Row, table
from crystal_search.datasets.packed import PackedDataset, open_dataset
from crystal_search.images import channels_of
from crystal_search.networks.network_kinds import CLASSIFIERS, build
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.chop_scores import labels_of
from crystal_search.training.requests import ChopRequest
from crystal_search.training.train import train

BATCH, SHORT = 16, 1  #: chops a step, steps of the shorter run
STEPS = {"squeezenet": 6, "alexnet": 6, "vgg16": 1, "resnet50": 2}  #: by which the longer run is longer


class Files(Dataset[tuple[Tensor, int]]):
    """JPEG files of chops as they are, with the classes of their labels."""

    def __init__(self, dataset: PackedDataset, folder: Path, count: int) -> None:
        rows = dataset.chops("train")[:count]
        self.labels = labels_of(rows, OUTCOME_NAMES)
        self.paths = [folder / f"{row.key}.jpg" for row in rows]
        for path, row in zip(self.paths, rows, strict=True):
            Pillow.fromarray(dataset.patch(row)[dataset.box(row).slices]).save(path, quality=92)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        pixels = np.asarray(Pillow.open(self.paths[place]), dtype=np.float32) / 255
        if torch.rand(()) < 0.5:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
        return torch.from_numpy((pixels - 0.45) / 0.23).reshape(-1, *pixels.shape[:2]), int(self.labels[place])


def train_plainly(network: nn.Module, files: Files, steps: int) -> None:
    """Train for so many steps as torchvision's reference script does."""
    loader = DataLoader(files, BATCH, shuffle=True, drop_last=True)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    network.train()
    done = 0
    while done < steps:
        for views, labels in loader:
            loss = nn.functional.cross_entropy(network(views).mean(dim=(2, 3)), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            done += 1
            if done == steps:
                break


def seconds_a_chop(training: Callable[[int], object], steps: int) -> float:
    """Return the processor seconds that each further chop takes."""
    training(SHORT)  # imports, and what torch sets up once
    spent = []
    for length in (SHORT, SHORT + steps):
        began = time.process_time()
        training(length)
        spent.append(time.process_time() - began)
    return (spent[1] - spent[0]) / (steps * BATCH)


def row(name: str, data: Path, folder: Path) -> Row:
    """Return the figures of one network."""
    dataset = open_dataset(data)
    steps = STEPS.get(name, 2)
    files = Files(dataset, folder, (SHORT + steps) * BATCH)

    def ours(length: int) -> None:
        out = Path(tempfile.mkdtemp(dir=folder)) / name
        train(
            "chops",
            ChopRequest(network=name, data=data, out=out, command="", steps=length, batch_size=BATCH, classes=13,
                    device="cpu", precision="float32", validation_chops=BATCH, quiet=True),
        )  # fmt: skip

    def plain(length: int) -> None:
        train_plainly(build(name, len(OUTCOME_NAMES), channels_of(dataset.about.normalisation)), files, length)

    each = {"ours": seconds_a_chop(ours, steps), "plain": seconds_a_chop(plain, steps)}
    said = ", ".join(f"{which} {1 / seconds:.2f}" for which, seconds in each.items())
    return Row(f"training, {name}, chops per processor-second", f"{said} ({each['plain'] / each['ours']:.2f} x)")


def main() -> None:
    """Measure every network and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("data", type=Path, nargs="?", default=Path("runs/chops"), metavar="DATASET")
    parser.add_argument("--network", action="append", help="one of several; default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, arguments.data, Path(folder)) for name in arguments.network or CLASSIFIERS]
    print(table(rows))


if __name__ == "__main__":
    main()
