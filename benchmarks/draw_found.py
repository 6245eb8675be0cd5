"""Draw what a detector finds in images, side by side.

``python -m benchmarks.draw_found IMAGE... --detector CARD --out PICTURE``; of wells, ``--in-drops`` looks in the drop.
"""

import argparse
import io
from pathlib import Path

from PIL import Image as Pillow

from crystal_search.direct.as_installed import as_installed
from crystal_search.direct.crystal_files import Search, in_drops, searched
from crystal_search.files import write_whole
from crystal_search.inference import OnnxNetwork

HEIGHT_PX, GAP_PX, QUALITY = 720, 12, 82


def side_by_side(pictures: list[Pillow.Image]) -> Pillow.Image:
    """Return pictures of one height in a row on white."""
    widths = [round(each.width * HEIGHT_PX / each.height) for each in pictures]
    row = Pillow.new("RGB", (sum(widths) + GAP_PX * (len(widths) - 1), HEIGHT_PX), "white")
    left = 0
    for picture, width in zip(pictures, widths, strict=True):
        row.paste(picture.resize((width, HEIGHT_PX), Pillow.Resampling.LANCZOS), (left, 0))
        left += width + GAP_PX
    return row


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--detector")
    parser.add_argument("--in-drops", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    installed = as_installed()
    model = installed.detector(asked.detector, drops=asked.in_drops)
    search = Search(network=OnnxNetwork(model), picture=True)
    search = in_drops(search, installed) if asked.in_drops else search
    found = [searched(path, search) for path in asked.images]
    stream = io.BytesIO()
    side_by_side([Pillow.open(io.BytesIO(each.picture)) for each in found]).save(stream, "JPEG", quality=QUALITY)
    write_whole(asked.out, stream.getvalue())


if __name__ == "__main__":
    main()
