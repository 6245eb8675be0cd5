"""ISPyB's tables, as far as we use them, and what differs between its sites."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, DateTime, Float, Integer, String, Table
from sqlalchemy.types import TypeEngine

from crystal_search.errors import ConfigError
from crystal_search.outcomes import GROUPS
from crystal_search.server.facility.facility_options import ZONE, channels_of, options_of, outcomes_of
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.site_tables import site_tables

NUMBER, TEXT, WIDE, TIME, REAL = Integer(), String(100), String(255), DateTime(), Float()

WANTED: dict[str, dict[str, TypeEngine[Any]]] = {
    "BLSampleImage": {
        "blSampleImageId": NUMBER,
        "blSampleId": NUMBER,
        "imageFullPath": WIDE,
        "blSampleImageScoreId": NUMBER,
        "blTimeStamp": TIME,
        "containerInspectionId": NUMBER,
        "modifiedTimeStamp": TIME,
    },
    "BLSampleImageScore": {"blSampleImageScoreId": NUMBER, "name": TEXT},
    "BLSample": {"blSampleId": NUMBER, "containerId": NUMBER, "crystalId": NUMBER, "location": TEXT},
    "Container": {
        "containerId": NUMBER,
        "barcode": TEXT,
        "code": TEXT,
        "containerType": TEXT,
        "containerTypeId": NUMBER,
        "ownerId": NUMBER,
        "sessionId": NUMBER,
        "screenId": NUMBER,
    },
    "ContainerType": {
        "containerTypeId": NUMBER,
        "name": TEXT,
        "capacity": NUMBER,
        "wellPerRow": NUMBER,
        "dropPerWellX": NUMBER,
        "dropPerWellY": NUMBER,
        "wellDrop": NUMBER,
    },
    "ContainerInspection": {"containerInspectionId": NUMBER, "containerId": NUMBER, "inspectionTypeId": NUMBER},
    "InspectionType": {"inspectionTypeId": NUMBER, "name": TEXT},
    "BLSampleImageAutoScoreSchema": {"blSampleImageAutoScoreSchemaId": NUMBER, "schemaName": TEXT, "enabled": NUMBER},
    "BLSampleImageAutoScoreClass": {
        "blSampleImageAutoScoreClassId": NUMBER,
        "scoreClass": TEXT,
        "blSampleImageAutoScoreSchemaId": NUMBER,
    },
    "BLSampleImage_has_AutoScoreClass": {
        "blSampleImageId": NUMBER,
        "blSampleImageAutoScoreClassId": NUMBER,
        "probability": REAL,
    },
    "BLSession": {"sessionId": NUMBER, "proposalId": NUMBER},
    "Proposal": {"proposalId": NUMBER, "proposalCode": TEXT, "proposalNumber": TEXT},
    "Crystal": {"crystalId": NUMBER, "proteinId": NUMBER},
    "Protein": {"proteinId": NUMBER, "proposalId": NUMBER, "name": WIDE, "acronym": TEXT},
    "Person": {"personId": NUMBER, "login": TEXT, "givenName": TEXT, "familyName": TEXT},
    "ProposalHasPerson": {"proposalId": NUMBER, "personId": NUMBER},
    "Screen": {"screenId": NUMBER, "name": TEXT},
    "ScreenComponentGroup": {"screenComponentGroupId": NUMBER, "screenId": NUMBER, "position": NUMBER},
    "ScreenComponent": {
        "screenComponentId": NUMBER,
        "screenComponentGroupId": NUMBER,
        "componentId": NUMBER,
        "concentration": REAL,
        "pH": REAL,
    },
    "BLSubSample": {
        "blSubSampleId": NUMBER,
        "blSampleId": NUMBER,
        "blSampleImageId": NUMBER,
        "positionId": NUMBER,
        "position2Id": NUMBER,
        "source": TEXT,
    },
    "Position": {"positionId": NUMBER, "posX": REAL, "posY": REAL},
}
PEOPLE = ("Person", "ProposalHasPerson")  #: tables that an account without personal data may not read
SCREENS = ("Screen", "ScreenComponentGroup", "ScreenComponent")
CRYSTALS = ("BLSubSample", "Position")
GIVING_CRYSTALS, YES, NO = "crystals", "yes", "no"  #: the option that says whether crystals are given
MAY_LACK = (*PEOPLE, *SCREENS, *CRYSTALS)

SCHEMA = "CrystalSearch"  #: what our score schema is called unless the settings say otherwise; 25 letters at most
SCHEMA_OUTCOMES = "CrystalSearch 13"  #: the one with every outcome; an administrator need not make it
#: What an outcome is called there, where a class has 15 letters at most.
CLASS_OF_OUTCOME = {
    "crystal_harvestable": "harvestable",
    "crystal_bad_form": "bad form",
    "crystal_overnucleated": "overnucleated",
    "precipitate": "precipitate",
    "precipitate_bad": "precip. bad",
    "precipitate_good": "precip. good",
    "null_experiment": "null experiment",
    "other": "other",
    "spherulites": "spherulites",
    "phase_separation": "phase sep.",
    "clear": "clear",
    "clear_with_features": "clear, features",
    "rim": "rim",
}
GROUP_CLASSES = tuple(str(group) for group in GROUPS)
#: What kinds of inspections are called in small letters, and their channels.
CHANNELS = {"visible": "visible", "uv": "uv"}


@dataclass(frozen=True, slots=True)
class IspybTables:
    """ISPyB's tables by the names that a site gives them."""

    by_name: Mapping[str, Table]

    def __getitem__(self, name: str) -> Table:
        return self.by_name[name]

    def readable(self, *names: str) -> bool:
        """Tell whether a site has all of these tables."""
        return all(name in self.by_name for name in names)

    def without(self, names: tuple[str, ...]) -> "IspybTables":
        """Return all tables but these."""
        return IspybTables({name: table for name, table in self.by_name.items() if name not in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class IspybSite:
    """What differs from one site with ISPyB to the next, besides names of tables."""

    schemas: Mapping[str, str] = field(default_factory=dict)  #: ``groups``, ``outcomes`` or a model's name -> schema
    channels: Mapping[str, str] = field(default_factory=dict)  #: kind of inspection, in small letters -> channel
    outcomes: Mapping[str, str] = field(default_factory=dict)  #: name of a score of people's -> outcome
    time_zone: str = ""  #: IANA name of the zone of the database's dates; empty: this machine's
    crystals: bool = True  #: whether crystals are given, too

    def schema_of_groups(self, model: str) -> str:
        """Return the schema for the groups that a classifier finds: its own, or that of all."""
        return self.schemas.get(model, self.schemas.get("groups", SCHEMA))

    @property
    def schema_of_outcomes(self) -> str:
        """The schema with every outcome."""
        return self.schemas.get("outcomes", SCHEMA_OUTCOMES)


def ispyb_site(settings: FacilitySettings) -> IspybSite:
    """Return what the settings say of a site.

    Raises
    ------
    ConfigError
        If they say what nothing asks for, or what cannot be.
    """
    options = options_of(settings, (ZONE, GIVING_CRYSTALS))
    crystals = options.get(GIVING_CRYSTALS, YES)
    if crystals not in (YES, NO):
        raise ConfigError(f'[facility.options]: {GIVING_CRYSTALS} must be "{YES}" or "{NO}", got {crystals!r}')
    channels = {name.casefold(): channel for name, channel in channels_of(settings).items()}
    return IspybSite(
        schemas=settings.schemas,
        channels=CHANNELS | channels,
        outcomes=outcomes_of(settings),
        time_zone=options.get(ZONE, ""),
        crystals=crystals == YES,
    )


def ispyb_tables(names: Mapping[str, str]) -> IspybTables:
    """Return ISPyB's tables, by the names that a site gives them.

    Raises
    ------
    ConfigError
        If a name is none, or of nothing.
    """
    return IspybTables(site_tables(WANTED, names, owner="", may_lack=MAY_LACK))


def column(table: Table, name: str) -> Column[Any]:
    """Return a column by its usual name."""
    return table.c[name.lower()]
