"""``crystal-search facility demo``: a played facility with the demo plate, from its database and back to it."""

import argparse
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine

from crystal_search.demo.bars import score_with_bars
from crystal_search.demo.run import command_line, view_line
from crystal_search.demo.truth import NAMING, plate_folder, read_truth
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.name_parts import ReadName
from crystal_search.robot_names import read_name
from crystal_search.server.facility.facility_kinds import facility_name, open_facility
from crystal_search.server.facility.facility_settings import read_facility_settings
from crystal_search.server.facility.ispyb_played import played_ispyb
from crystal_search.server.facility.xtaltrak_played import played_xtaltrak
from crystal_search.server.home import Home
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation, opened, recipe_of, say
from crystal_search.server.services.facility_exchange import pull, push
from crystal_search.server.services.facility_reports import pull_line, push_line
from crystal_search.wells import WellKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedFacility:
    """How a kind of facility is played."""

    fill: Callable[[Engine, list[NewImage]], None]  #: makes its tables in an empty database, and adds images
    options: str  #: what its settings say besides; ``{folder}`` is that of the images
    rows: str  #: a statement that selects of each scored image what the facility has of it


PLAYED = {
    "ispyb": PlayedFacility(
        fill=played_ispyb,
        options="",
        rows=(
            "SELECT i.imageFullPath, c.scoreClass, round(h.probability, 3) FROM BLSampleImage_has_AutoScoreClass h "
            "JOIN BLSampleImage i ON i.blSampleImageId = h.blSampleImageId "
            "JOIN BLSampleImageAutoScoreClass c USING (blSampleImageAutoScoreClassId) "
            "JOIN BLSampleImageAutoScoreSchema s USING (blSampleImageAutoScoreSchemaId) "
            "WHERE s.schemaName = 'CrystalSearch' ORDER BY i.imageFullPath, h.blSampleImageAutoScoreClassId"
        ),
    ),
    "xtaltrak": PlayedFacility(
        fill=played_xtaltrak,
        options="[facility.options]\nimage_path = '{folder}/{{name}}'\n",
        rows=(
            'SELECT i."BARCODEID", i."I_ROW", i."COL", s."SCORE", s."SCOREDATE", s."SCOREDBY" FROM "I_SCORES" s '
            'JOIN "I_INSPECTIONS" i ON i."INSPECTID" = s."INSPECTID" '
            "WHERE s.SCOREDBY = 'ARTscore' ORDER BY s.SCOREID"
        ),
    ),
}
SHOWN = 8  #: rows of the facility's that are shown at the end


def add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command beside those of every facility."""
    purpose = "make a small database of a facility with the demo plate, pull, score and push"
    demo = commands.add_parser("demo", help=purpose, description=purpose)
    demo.add_argument("kind", choices=sorted(PLAYED), help="which facility is played")
    demo.add_argument("--home", type=Path, default=Path("facility-demo"), help="a new folder (default %(default)s)")
    demo.set_defaults(run=_demo)


def demo_images(folder: Path) -> list[NewImage]:
    """Return the demo plate's images, as an imager's database knows them."""
    images = []
    for number, file in enumerate(sorted(read_truth(folder))):
        name = read_name(str(folder.absolute() / file), NAMING)
        if isinstance(name, ReadName):
            key = WellKey(plate=name.plate, row=name.row, column=name.column, drop=name.drop)
            imaged_at = datetime(2026, 1, 31, 12, number // 60, number % 60, tzinfo=UTC)
            images.append(NewImage(key=key, path=str(folder.absolute() / file), imaged_at=imaged_at))
    return images


def _demo(arguments: argparse.Namespace) -> None:
    folder, played = arguments.home, PLAYED[arguments.kind]
    if folder.exists():
        raise UserError(f"{folder} is there already; say --home and a folder that is new, or delete it")
    home = Home(folder).made()
    database = folder.absolute() / f"{arguments.kind}.sqlite"
    engine = create_engine(f"sqlite:///{database}")
    images = demo_images(plate_folder())
    played.fill(engine, images)
    options = played.options.format(folder=plate_folder().absolute())
    write_whole(home.settings, f'[facility]\nkind = "{arguments.kind}"\nurl = "sqlite:///{database}"\n{options}')
    say(f"{database} plays {arguments.kind}: {len(images)} images of one plate")
    with opened(folder) as site:
        _there_and_back(site)
    _show(engine, played.rows)
    say(f"to see the plate: {view_line(home)}\nto go on: {command_line('facility report', home)}")


def _there_and_back(site: Installation) -> None:
    settings = read_facility_settings(site.home.settings)
    name = facility_name(settings)
    with closing(open_facility(settings)) as facility:
        say(pull_line(pull(site.imaging, facility, name)))
        with site.started_engine() as clients:
            score_with_bars(site, recipe_of(site), clients)
        say(push_line(push(site.imaging, facility, name)))


def _show(engine: Engine, rows: str) -> None:
    with engine.connect() as connection:
        found = connection.exec_driver_sql(rows).all()
    say(f"the facility has {len(found)} rows of ours, the first of them:")
    for row in found[:SHOWN]:
        say(f"  {' '.join(map(str, row))}")
    engine.dispose()
