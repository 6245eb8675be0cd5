"""Rock Maker's tables, as far as we read them. None is written: that voids its maintenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Double, Integer, String, Table
from sqlalchemy.types import TypeEngine

from crystal_search.server.facility.site_tables import Wanted, site_tables

OWNER = "dbo"  #: the schema that holds the tables, unless a site says otherwise
_NAME = String(255)


def _columns(names: str, **others: TypeEngine[Any]) -> dict[str, TypeEngine[Any]]:
    """Return columns that hold numbers of rows, and others."""
    return {name: BigInteger() for name in names.split()} | others


WANTED: Wanted = {
    "Plate": _columns("ID ExperimentID", Barcode=_NAME),
    "Well": _columns("ID PlateID", WellNumber=Integer(), RowLetter=String(2), ColumnNumber=Integer()),
    "WellDrop": _columns("ID WellID", DropNumber=Integer()),
    "Region": _columns("ID WellDropID"),
    "Image": _columns("ID CaptureResultID ImageStoreID ImageTypeID"),
    "ImageType": _columns("ID", ShortName=String(3)),
    "ImageStore": _columns("ID", BasePath=String(1024)),
    "CaptureResult": _columns("ID RegionID CaptureProfileVersionID ImageBatchID"),
    "CaptureProfileVersion": _columns("ID CaptureProfileID"),
    "CaptureProfile": _columns("ID", Name=_NAME),
    "ImageBatch": _columns("ID ImagingTaskID"),
    "ImagingTask": _columns("ID ExperimentPlateID", DateImaged=DateTime()),
    "ExperimentPlate": _columns("ID PlateID"),
    "Experiment": _columns("ID UserID TreeNodeID ContainerID"),
    "Users": _columns("ID", Name=_NAME),
    "TreeNode": _columns("ID ParentID", Name=_NAME),
    "Containers": _columns("ID", Name=_NAME),
    "ImageBatchWellDropScore": _columns("ID WellDropID ImageBatchID WellDropScoreID"),
    "WellDropScore": _columns("ID WellDropScoreGroupID", Name=_NAME),
    "WellDropScoreGroup": _columns("ID", IsAutoScore=Boolean()),
    "WellLayer": _columns("ID WellID"),
    "WellLayerIngredient": _columns(
        "ID WellLayerID IngredientIngredientTypeID IngredientStockID", Concentration=Double(), PH=Double()
    ),
    "IngredientStock": _columns("ID IngredientID", ConcentrationUnits=String(50)),
    "Ingredient": _columns("ID", LongName=_NAME),
    "IngredientIngredientType": _columns("ID IngredientTypeID"),
    "IngredientType": _columns("ID", Name=_NAME),
}
OWNERS = ("Experiment", "Users", "TreeNode", "Containers")  #: whose a plate is
SCORES = ("ImageBatchWellDropScore", "WellDropScore", "WellDropScoreGroup")  #: what people gave
CONDITIONS = (
    "WellLayer",
    "WellLayerIngredient",
    "IngredientStock",
    "Ingredient",
    "IngredientIngredientType",
    "IngredientType",
)  #: what is in wells
MAY_LACK = (*OWNERS, *SCORES, *CONDITIONS, "WellDropScoreGroup.IsAutoScore")


@dataclass(frozen=True, slots=True)
class RockMakerTables:
    """The tables that a site has, by their usual names; columns have their usual names in small letters as keys."""

    by_name: Mapping[str, Table]

    def __getitem__(self, name: str) -> Table:
        return self.by_name[name]

    def have(self, names: tuple[str, ...]) -> bool:
        """Tell whether the site has all of these tables."""
        return all(name in self.by_name for name in names)


def rockmaker_tables(names: Mapping[str, str], *, owner: str = OWNER) -> RockMakerTables:
    """Return the tables by the names that a site gives them.

    Raises
    ------
    ConfigError
        If a name is none, or nothing is called so.
    """
    return RockMakerTables(site_tables(WANTED, names, owner=owner, may_lack=MAY_LACK))


@dataclass(frozen=True, slots=True, kw_only=True)
class RockMakerSite:
    """What differs from one site with Rock Maker to the next, besides names."""

    channels: Mapping[str, str] = field(default_factory=dict)  #: imaging profile, by number or name -> channel
    outcomes: Mapping[str, str] = field(default_factory=dict)  #: class as people score there -> outcome
    extension: str = ".jpg"  #: of image files
    time_zone: str = ""  #: IANA name of the zone of the database's dates; empty: this machine's
