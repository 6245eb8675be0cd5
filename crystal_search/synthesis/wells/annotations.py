"""The crystals of rendered wells as COCO annotations."""

import json
from dataclasses import dataclass, field

from crystal_search.outcomes import OUTCOMES, Group
from crystal_search.synthesis.coco import Record, annotation
from crystal_search.synthesis.wells.rendered_well import RenderedWell

#: Of annotations: the crystal outcomes.
CATEGORIES = {
    outcome.name: number
    for number, outcome in enumerate((each for each in OUTCOMES if each.group is Group.CRYSTAL), start=1)
}


@dataclass
class WellAnnotations:
    """Annotations that grow well by well."""

    _images: list[Record] = field(default_factory=list)
    _annotations: list[Record] = field(default_factory=list)

    def add(self, file: str, well: RenderedWell) -> None:
        """Take up a well, whose picture is stored as `file`."""
        height, width, _ = well.image.shape
        number = len(self._images) + 1
        self._images.append({"id": number, "file_name": file, "height": height, "width": width})
        for crystal in well.crystals:
            self._annotations.append(
                annotation(
                    crystal.rows,
                    crystal.columns,
                    (height, width),
                    crystal.oriented_box,
                    id=len(self._annotations) + 1,
                    image_id=number,
                    category_id=CATEGORIES[crystal.outcome],
                    visible_fraction=round(crystal.visible_fraction, 4),
                    contrast=round(crystal.contrast, 2),
                    too_faint=crystal.too_faint,
                    habit=crystal.habit,
                    aspect=crystal.aspect,
                )
            )

    def as_json(self) -> bytes:
        """Return everything as the text of a COCO file."""
        categories = [{"id": number, "name": name, "supercategory": "crystal"} for name, number in CATEGORIES.items()]
        truth = {"images": self._images, "categories": categories, "annotations": self._annotations}
        return json.dumps(truth, separators=(",", ":")).encode()
