"""A played Rock Maker on whatever database."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from crystal_search.server.facility.rockmaker_schema import RockMakerTables

SHARE = "\\\\imager\\RockMakerStorage"
FIRST = datetime(2026, 1, 5, 8, 30)  #: when the first batch was taken, by Rock Maker's clock; a week between two
PROFILES = {1: "ImagerDefaults", 2: "UV"}
CLASSES = {1: ("Crystals", 1), 2: ("Clear", 1), 3: ("Machine says crystal", 2)}


class PlayedRockMaker:
    """The rows that Formulatrix' programs would write; numbers of rows count from 1 in each table."""

    def __init__(self, engine: Engine, tables: RockMakerTables) -> None:
        self.engine, self.tables = engine, tables
        self.last: dict[str, int] = {}
        with engine.begin() as connection:
            tables["Plate"].metadata.create_all(connection, checkfirst=False)
        for number, short in ((1, "ef"), (2, "sl")):
            self.add("ImageType", id=number, shortname=short)
        self.add("ImageStore", basepath=SHARE)
        for number, name in PROFILES.items():
            self.add("CaptureProfile", id=number, name=name)
            self.add("CaptureProfileVersion", id=number, captureprofileid=number)
        for number in (1, 2):
            self.add("WellDropScoreGroup", id=number, isautoscore=number == 2)
        for number, (name, group) in CLASSES.items():
            self.add("WellDropScore", id=number, name=name, welldropscoregroupid=group)

    def add(self, table: str, **values: Any) -> int:
        """Add a row, with the next number unless it is given, where the site has the table; return its number."""
        number = int(values.setdefault("id", self.last.get(table, 0) + 1))
        self.last[table] = max(number, self.last.get(table, 0))
        found = self.tables.by_name.get(table)
        if found is None:
            return number
        with self.engine.begin() as connection:
            connection.execute(found.insert(), {key: value for key, value in values.items() if key in found.c})
        return number

    def plate(self, number: int, barcode: str | None, *, wells: int = 2, person: str = "zoe") -> list[int]:
        """Set up a plate with one drop in each well; return the numbers of the drops."""
        user = self.add("Users", name=person)
        project = self.add("TreeNode", name=f"project of {person}", parentid=None)
        node = self.add("TreeNode", name="lysozyme", parentid=project)
        made = self.add(
            "Experiment", userid=user, treenodeid=node, containerid=self.add("Containers", name="SWISSCI 3 Drop")
        )
        self.add("Plate", id=number, barcode=barcode, experimentid=made)
        self.add("ExperimentPlate", id=number, plateid=number)
        return [self._well(number, well) for well in range(1, wells + 1)]

    def _well(self, plate: int, well: int) -> int:
        row = self.add("Well", plateid=plate, wellnumber=well, rowletter="A", columnnumber=well)
        drop = self.add("WellDrop", wellid=row, dropnumber=1)
        self.add("Region", id=drop, welldropid=drop)
        return drop

    def cocktail(self, well: int, name: str, concentration: float, unit: str, *, ph: float | None, role: str) -> None:
        """Pipette an ingredient into a well."""
        kind = self.add("IngredientType", name=role)
        chemical = self.add("Ingredient", longname=name)
        both = self.add("IngredientIngredientType", ingredienttypeid=kind)
        stock = self.add("IngredientStock", ingredientid=chemical, concentrationunits=unit)
        layer = self.add("WellLayer", wellid=well)
        self.add(
            "WellLayerIngredient",
            welllayerid=layer,
            ingredientingredienttypeid=both,
            ingredientstockid=stock,
            concentration=concentration,
            ph=ph,
        )

    def batch(self, plate: int, taken: datetime | None) -> int:
        """Begin a batch, which is an inspection."""
        return self.add("ImageBatch", imagingtaskid=self.add("ImagingTask", experimentplateid=plate, dateimaged=taken))

    def image(self, drop: int, batch: int, *, profile: int = 1, type_: int = 1) -> int:
        """Take a picture."""
        result = self.add("CaptureResult", regionid=drop, captureprofileversionid=profile, imagebatchid=batch)
        return self.add("Image", captureresultid=result, imagestoreid=1, imagetypeid=type_)

    def score(self, drop: int, batch: int, class_: int) -> int:
        """Have a person, or Rock Maker's own program, score a drop."""
        return self.add("ImageBatchWellDropScore", welldropid=drop, imagebatchid=batch, welldropscoreid=class_)
