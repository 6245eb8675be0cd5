"""What the pages and their programs ask: JSON for plates, drops and scores, and pictures.

Pictures are asked for by an image's id; no path ever comes from a request.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from crystal_search.errors import ImageError
from crystal_search.score_cells import longest_px
from crystal_search.server.imaging.imaging_database import DropScores, ManualScore
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.viewer.about_plates import facts_record, full_condition_record
from crystal_search.viewer.context import Viewer, board_of, encoded_answer, encoded_for_many, json_answer, viewer_of
from crystal_search.viewer.hand_scores import (
    MAX_BODY_BYTES,
    ScoreRequestError,
    TakingBack,
    read_comment,
    read_mark,
    read_score,
    read_taking_back,
)
from crystal_search.viewer.json_records import (
    Record,
    board_record,
    comment_record,
    counts_record,
    drop_record,
    ledger_record,
    mark_record,
)
from crystal_search.viewer.people.asker import asker_of, tell
from crystal_search.viewer.reading import Board
from crystal_search.viewer.recipes import RECIPE, SHOWN, recipe_record
from crystal_search.viewer.score_table import score_table
from crystal_search.viewer.thumbnails import Picture
from crystal_search.viewer.versions import version_of

FOR_GOOD = "private, max-age=31536000, immutable"
Written = tuple[int, str]  #: of which image, and what the audit page says of it
PATIENCE_S = 10.0  #: browsers ask for six things at a time; a share or peer that hangs must not hold them all


def board_value(viewer: Viewer, board: Board, recipe: str = SHOWN) -> Record:
    """Return what the overview shows of a plate, with the scores that count or those by a recipe."""
    read = viewer.reader.overview(board, recipe)
    versions = viewer.thumbnails.versions([drop.image for drop in read.drops])
    days = {number: day.isoformat() for number, day in read.days.items()}
    record = board_record(
        board, read.summary, read.about, read.drops, read.before, version=lambda each: versions[each.id]
    )
    longest = {drop.image.id: longest_um(viewer, drop) for drop in read.drops}
    triaged = [
        told | {"triage": read.triage.get(told["id"]), "longest_um": longest[told["id"]]} for told in record["drops"]
    ]
    recipes = [recipe_record(each) for each in read.recipes]
    return record | {"days": days, "drops": triaged, "recipes": recipes, "recipe": recipe}


def longest_um(viewer: Viewer, drop: DropScores) -> float | None:
    """Return how long the longest crystal is that the machine found in a drop, where there is one and a scale."""
    longest = longest_px(drop.current.found.crystals or ()) if drop.current else None
    scale = viewer.micrometres_per_pixel.get(viewer.imagers.of(drop.image)) if longest else None
    return round(longest * scale, 1) if longest and scale else None


def board_state(viewer: Viewer, board: Board, recipe: str) -> object:
    """Return what is another value when `board_value` is, in a small part of the time."""
    read = viewer.reader.overview(board, recipe)
    return read, viewer.thumbnails.versions([drop.image for drop in read.drops])


def ledger_value(viewer: Viewer, image_id: int) -> Record:
    """Return one image with all its scores and comments, whose it is and what is in its drop."""
    image = viewer.reader.image(image_id)
    waits = viewer.imaging.postponements([image_id]).get(image_id)
    ledger, shown = viewer.reader.ledger(image)
    about = viewer.reader.about(image.key.plate)
    imager = viewer.imagers.of(image)
    scale = viewer.micrometres_per_pixel.get(imager)
    told = ledger_record(image, ledger, shown, waits, viewer.thumbnails.version, um_per_px=scale)
    return (
        told
        | {"comments": [comment_record(each) for each in viewer.imaging.comments(image_id)]}
        | {"marks": [mark_record(each) for each in viewer.imaging.marks([image_id])]}
        | {"imager": imager, "um_per_px": scale}
        | facts_record(about.facts)
        | full_condition_record(about.condition(image.key))
    )


def get_board(request: Request) -> Response:
    """Answer with one inspection of a plate."""
    viewer, board, recipe = viewer_of(request), board_of(request), RECIPE.of(request)
    told = viewer.reader.kept(
        (board, recipe),
        lambda: encoded_for_many(board_value(viewer, board, recipe)),
        lambda: board_state(viewer, board, recipe),
    )
    return encoded_answer(request, told)


def get_counts(request: Request) -> Response:
    """Answer with how many drops of an inspection are in each group."""
    reader, board = viewer_of(request).reader, board_of(request)
    triage = Counter(reader.triage(board).values())
    return json_answer(request, counts_record(reader.drops(board)) | {"triage": triage})


def get_drop(request: Request) -> Response:
    """Answer with one image and all its scores."""
    return json_answer(request, ledger_value(viewer_of(request), request.path_params["image_id"]))


def get_siblings(request: Request) -> Response:
    """Answer with the same drop at every inspection, in every channel."""
    viewer = viewer_of(request)
    image = viewer.reader.image(request.path_params["image_id"])
    drops, version = viewer.reader.siblings(image), viewer.thumbnails.version
    return json_answer(request, {"drops": [drop_record(drop, None, version) for drop in drops]})


def get_score_table(request: Request) -> Response:
    """Answer with a plate's scores as CSV: of one inspection, or of all when none is named."""
    viewer, (plate, latest, channel) = viewer_of(request), board_of(request)
    named = "inspection" in request.query_params
    inspections = (latest,) if named else viewer.reader.plate(plate).inspections
    boards = [Board(plate, each, channel) for each in inspections]
    drops = [drop for board in boards for drop in viewer.reader.drops(board)]
    promised = {image_id: answer for board in boards for image_id, answer in viewer.reader.triage(board).items()}
    safe = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in plate)
    name = f"scores-{safe}-inspection-{latest}.csv" if named else f"scores-{safe}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"}
    return Response(
        score_table(drops, viewer.reader.about(plate), promised), headers=headers, media_type="text/csv; charset=utf-8"
    )


async def post_score(request: Request) -> Response:
    """Add a person's score to the ledger and answer with the image's scores."""
    return await _written(request, _add_score)


async def post_taking_back(request: Request) -> Response:
    """Take back a score, comment or mark of a person and answer with the image's scores."""
    return await _written(request, _take_back)


async def post_comment(request: Request) -> Response:
    """Add what a person wrote about an image and answer with the image's scores."""
    return await _written(request, _add_comment)


async def post_mark(request: Request) -> Response:
    """Add what a person marked in an image and answer with the image's scores."""
    return await _written(request, _add_mark)


async def _written(request: Request, write: Callable[[Viewer, bytes, str], Written]) -> Response:
    """Write to the ledger what a request sends; answer with all scores of the image that `write` says."""
    viewer = viewer_of(request)
    if viewer.is_snapshot:
        raise HTTPException(403, "this is a snapshot of an installation that cannot be written: no scores are taken")
    body = await body_of(request)

    def work() -> Response:
        try:
            image_id, done = write(viewer, body, asker_of(request).name)
        except ScoreRequestError as error:
            raise HTTPException(400, str(error)) from error
        viewer.reader.forget(viewer.reader.image(image_id).key.plate)
        tell(request, done)
        return JSONResponse(ledger_value(viewer, image_id), 201)

    return await run_in_threadpool(work)


async def body_of(request: Request) -> bytes:
    """Return what a request sends, if that is not too much."""
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, f"send at most {MAX_BODY_BYTES} bytes")
    except TimeoutError as error:
        raise HTTPException(408, f"what you send did not come whole within {PATIENCE_S:g} s; send it again") from error
    return bytes(body)


def _add_score(viewer: Viewer, body: bytes, signed_in: str) -> Written:
    score = read_score(body, signed_in)
    viewer.reader.image(score.image_id)
    viewer.imaging.add_manual_score(score)
    return score.image_id, f"image {score.image_id}, {score.outcome}"


def _add_comment(viewer: Viewer, body: bytes, signed_in: str) -> Written:
    comment = read_comment(body, signed_in)
    viewer.reader.image(comment.image_id)
    viewer.imaging.add_comment(comment)
    return comment.image_id, f"image {comment.image_id}"


def _add_mark(viewer: Viewer, body: bytes, signed_in: str) -> Written:
    mark = read_mark(body, signed_in)
    viewer.reader.image(mark.image_id)
    viewer.imaging.add_mark(mark)
    return mark.image_id, f"image {mark.image_id}, {mark.kind}"


def _take_back(viewer: Viewer, body: bytes, signed_in: str) -> Written:
    asked = read_taking_back(body, signed_in)
    viewer.reader.image(asked.image_id)
    taking_back = {
        "score": viewer.imaging.take_back,
        "comment": viewer.imaging.take_comment_back,
        "mark": viewer.imaging.take_mark_back,
    }
    of_image = asked.number in _numbers_of(viewer, asked)
    if not (of_image and taking_back[asked.what](asked.number, person=asked.person, at=datetime.now(UTC))):
        last = "last " if asked.what == "score" else ""
        raise HTTPException(409, f"that is not the {last}{asked.what} of {asked.person} which counts here; look again")
    return asked.image_id, f"image {asked.image_id}, {asked.what} {asked.number}"


def _numbers_of(viewer: Viewer, asked: TakingBack) -> set[int]:
    """Return the numbers of what people said of the image that is asked for, of the kind that is asked for."""
    if asked.what == "comment":
        return {each.id for each in viewer.imaging.comments(asked.image_id)}
    if asked.what == "mark":
        return {each.id for each in viewer.imaging.marks([asked.image_id])}
    return {each.id for each in viewer.imaging.ledger(asked.image_id) if isinstance(each, ManualScore)}


async def get_thumbnail(request: Request) -> Response:
    """Answer with a small picture."""
    return await _picture(request, viewer_of(request).thumbnails.thumbnail)


async def get_image(request: Request) -> Response:
    """Answer with the whole image."""
    return await _picture(request, viewer_of(request).thumbnails.full)


async def _picture(request: Request, made: Callable[[StoredImage], Picture]) -> Response:
    viewer, image_id = viewer_of(request), request.path_params["image_id"]

    def find() -> tuple[Picture, bool]:
        image = viewer.reader.image(image_id)
        return made(image), request.query_params.get("v") == version_of(image.path)

    made_elsewhere = asyncio.get_running_loop().run_in_executor(viewer.picture_makers, find)
    try:
        picture, current = await asyncio.wait_for(made_elsewhere, PATIENCE_S)
    except TimeoutError as error:
        raise HTTPException(504, f"the file of image {image_id} does not answer") from error
    except ImageError as error:
        raise HTTPException(422, str(error)) from error
    # Only an address that names the file's version may be kept without asking again.
    headers = {"Cache-Control": FOR_GOOD if current else "no-cache"}
    if isinstance(picture.content, bytes):
        return Response(picture.content, headers=headers, media_type=picture.media_type)
    return FileResponse(picture.content, headers=headers, media_type=picture.media_type)
