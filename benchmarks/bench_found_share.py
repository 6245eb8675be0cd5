"""How often a detector finds crystals of a size: ``python -m benchmarks.bench_found_share CARD --coco FOLDER...``.

For each folder, or the split of a dataset, the curve that `export` would write into the card, and what share of the
crystals of each size is found.
"""

import argparse
from pathlib import Path

from crystal_search.datasets.packed import open_dataset
from crystal_search.exporting.found_shares import classes_of, fitted, share_of, sizes_in
from crystal_search.exporting.marked_images import of_dataset, of_folder
from crystal_search.found_share import SURE_FROM
from crystal_search.inference import OnnxNetwork
from crystal_search.model import in_role, read_model
from crystal_search.model_card import CrystalCard
from crystal_search.wells import SPLITS


def main() -> None:
    """Print for each set the curve, and a row for each class of sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=Path)
    parser.add_argument("--coco", type=Path, nargs="+", default=[], help="folders as `render` writes them")
    parser.add_argument("--data", type=Path, help="dataset")
    parser.add_argument("--split", choices=SPLITS, default="validation")
    parser.add_argument("--least", type=float, default=SURE_FROM, help="probability (default: %(default)s)")
    asked = parser.parse_args()
    network = OnnxNetwork(in_role(read_model(asked.card), CrystalCard))
    sets = [of_folder(folder) for folder in asked.coco]
    if asked.data:
        sets.append(of_dataset(open_dataset(asked.data), asked.split))
    for images in sets:
        sizes = sizes_in(images.images, network, asked.least)
        most = fitted(sizes.areas_px2, sizes.found)[2]
        share = share_of(sizes, asked.least)
        print(f"{len(images.images)} {images.name}: {share}; of the largest {most:.3f}")
        print("| area, px² | crystals | found | by the curve |\n|---|---|---|---|")
        for each in classes_of(sizes):
            told = None if isinstance(share, str) else share.of(1.5 * each.from_px2)
            curve = "" if told is None else f"{most * told:.2f}"
            print(f"| {each.said} | {each.crystals} | {each.found:.3f} | {curve} |", flush=True)


if __name__ == "__main__":
    main()
