"""Draw where to shoot and where to dispense in a rendered well, with the crystals that the renderer knows.

``python -m benchmarks.draw_aims FOLDER FILE --um-per-px 2.5 --out PICTURE`` of a folder of ``render wells``.
"""

import argparse
import json
import sys
from pathlib import Path

from crystal_search.crystal import Crystal
from crystal_search.crystals.dispensing import Dispense, DispensingUm, where_to_dispense
from crystal_search.crystals.targets import targets_of
from crystal_search.direct.aiming import ShootingUm
from crystal_search.direct.crystal_pictures import drawn
from crystal_search.files import write_whole
from crystal_search.images import decode, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import DropCard
from crystal_search.synthesis.rendered_folder import Record, mask_of
from crystal_search.unet_drop.locate import locate_drop
from crystal_search.unet_drop.regions import outline_of

LEAST_PX2 = 20  #: of a crystal


def known_crystals(folder: Path, file: str) -> tuple[Crystal, ...]:
    """Return the crystals of an image that can be seen, with outlines of their masks."""
    truth = json.loads((folder / "annotations.json").read_text())
    (number,) = (each["id"] for each in truth["images"] if each["file_name"] == file)
    known = (each for each in truth["annotations"] if each["image_id"] == number and not each["too_faint"])
    return tuple(_crystal(each) for each in known if each["area"] >= LEAST_PX2)


def _crystal(known: Record) -> Crystal:
    column, row, long, short, angle = known["oriented_box"]
    mask = mask_of(known["segmentation"]["counts"], *known["segmentation"]["size"])
    outline = tuple((float(r), float(c)) for r, c in outline_of(mask, 64))
    return Crystal(
        probability=1.0, row=row, column=column, long_px=long, short_px=short, angle_rad=angle, outline=outline
    )


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file")
    parser.add_argument("--um-per-px", type=float, required=True)
    parser.add_argument("--spacing", type=float, default=40)
    parser.add_argument("--candidates", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    image = decode((asked.folder / asked.file).read_bytes())
    crystals, scale = known_crystals(asked.folder, asked.file), asked.um_per_px
    shooting = ShootingUm(spacing_um=asked.spacing, margin_um=5).in_px(scale)
    drop = locate_drop(to_grey(image.colour), OnnxNetwork(default_model(DropCard)))
    size = (image.height_px, image.width_px)
    rule = DispensingUm(most=asked.candidates).in_px(scale)
    dispense = where_to_dispense(drop.mask, crystals, rule, size_px=size) if drop else Dispense()
    write_whole(asked.out, drawn(image, crystals, targets_of(crystals, shooting), dispense))
    best = dispense.best
    sys.stdout.write(f"{len(crystals)} crystals; {best and best.clearance_px * scale} um around the best place\n")


if __name__ == "__main__":
    main()
