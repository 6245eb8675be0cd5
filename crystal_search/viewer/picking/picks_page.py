"""The list of ticked drops: a page, and the files that it becomes. Which drops they are stands in the address."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crystal_search.dispensers.crystal_plates import CRYSTAL_PLATES
from crystal_search.dispensers.transfer_lists import MOST_NL
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.viewer.context import page, viewer_of
from crystal_search.viewer.json_records import Record, Version, drop_record
from crystal_search.viewer.parameters import Parameter, amount, choice, words
from crystal_search.viewer.picking.dispensing_places import why_unknown
from crystal_search.viewer.picking.pick_formats import PICK_FORMATS, TO_HARVEST, PickOptions, pick_format
from crystal_search.viewer.picking.picks import MOST_PICKS, Pick, Position, drops_in, numbers_in, picks_of, plates_in

IDS: Parameter[list[int]] = Parameter(
    name="ids",
    meaning="numbers of images, with commas between",
    default=[],
    schema={"type": "string", "pattern": "^[0-9]{1,15}(,[0-9]{1,15})*$"},
    expected=f"1 to {MOST_PICKS} numbers of images with commas between",
    read=numbers_in,
)
PLATE = choice("plate", "kind of plate, which says what others call its drops", default="", of=CRYSTAL_PLATES)
UM_PER_PX = amount("um_per_px", "micrometres a stored pixel", most=1000)
VOLUME_NL = amount("volume_nl", "nanolitres into each drop", most=MOST_NL)
SOURCE_PLATE = words("source_plate", "plate to dispense from", default="", most=100)
SOURCE_WELL = words("source_well", "well to dispense from", default="", most=100)
ASKED = (IDS, PLATE, UM_PER_PX, VOLUME_NL, SOURCE_PLATE, SOURCE_WELL)


def get_picks_page(request: Request) -> Response:
    """Show the drops that an address names, and the files that they can become."""
    viewer = viewer_of(request)
    picks = _picks(request)
    plates = [
        {"plate": plate, "ids": [pick.drop.image.id for pick in picks if pick.drop.image.key.plate == plate]}
        for plate in plates_in(picks)
    ]
    told = {"ids": [pick.drop.image.id for pick in picks], "plates": plates}
    is_scaled = all(pick.um_per_px is not None for pick in picks)
    known = {UM_PER_PX.name} if is_scaled else set()
    formats = [
        {"name": name, "title": each.title, "meaning": each.meaning, "one_plate": each.one_plate}
        | {"needs": [need for need in each.needs if need not in known]}
        for name, each in PICK_FORMATS.items()
    ]
    drops = drops_in(picks)
    version = viewer.thumbnails.version
    shown = {
        "picks": [_pick_record(pick, version) | {"in_files": pick in drops} for pick in picks],
        "count": len(drops),
        "plates": plates,
        "formats": formats,
        "is_scaled": is_scaled,
        "kinds": [{"name": name, "title": kind.title} for name, kind in CRYSTAL_PLATES.items()],
        "data": told | {"formats": formats},
    }
    return page(request, "picks.html", shown)


def get_pick_file(request: Request) -> Response:
    """Answer with the drops that an address names as a file."""
    name = request.path_params["format"]
    try:
        kind = pick_format(name)
        picks = _picks(request)
        written = kind.file(picks, _options(request))
    except UnknownNameError as error:
        raise HTTPException(404, str(error)) from error
    except UserError as error:
        raise HTTPException(400, str(error)) from error
    plates = plates_in(picks)
    plate = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in plates[0])
    drops = len(drops_in(picks))
    part = f"-{drops - written.left_out}-of-{drops}" if written.left_out else ""
    file = f"picks-{name}-{plate if len(plates) == 1 else f'{len(plates)}-plates'}{part}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-cache"}
    return Response(written.text, headers=headers, media_type="text/csv; charset=utf-8")


def _picks(request: Request) -> list[Pick]:
    ids = IDS.of(request)
    if not ids:
        raise HTTPException(400, "name images by ids=, their numbers with commas between")
    return picks_of(viewer_of(request), ids)


def _options(request: Request) -> PickOptions:
    return PickOptions(
        plate_kind=PLATE.of(request),
        um_per_px=UM_PER_PX.of(request),
        volume_nl=VOLUME_NL.of(request),
        source_plate=SOURCE_PLATE.of(request),
        source_well=SOURCE_WELL.of(request),
    )


def _size_text(position: Position, um_per_px: float | None) -> str:
    """Return how large the crystal at a position is, for people; empty where the machine found none there."""
    if position.crystal is None:
        return ""
    scale, unit = (um_per_px, "µm") if um_per_px else (1.0, "px")
    return f"{position.crystal.long_px * scale:.0f} × {position.crystal.short_px * scale:.0f} {unit}"


def _pick_record(pick: Pick, version: Version) -> Record:
    told = drop_record(pick.drop, None, version)
    positions = [
        {"x": round(each.column_px), "y": round(each.row_px), "origin": each.origin, "person": each.person}
        | {"size": _size_text(each, pick.um_per_px)}
        for each in pick.positions(TO_HARVEST)
    ]
    told |= {"not_dispensed": why_unknown(pick)}
    return told | {"positions": positions, "people": [f"{each.person}: {each.outcome}" for each in pick.drop.people]}
