"""What the pages' programs ask: JSON for plates, drops and scores."""

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crystal_search.viewer.context import Viewer, board_of, json_answer, viewer_of
from crystal_search.viewer.guard import check_may_write
from crystal_search.viewer.reading import Board
from crystal_search.viewer.records import (
    Record,
    board_record,
    counts_record,
    drop_record,
    ledger_record,
    plate_record,
)
from crystal_search.viewer.score_table import score_table
from crystal_search.viewer.scoring import MAX_BODY_BYTES, ScoreRequestError, read_score


def plates_value(viewer: Viewer) -> Record:
    """Return the list of plates."""
    return {"plates": [plate_record(summary) for summary in viewer.reader.plates()]}


def board_value(viewer: Viewer, board: Board) -> Record:
    """Return what the overview shows of a plate."""
    reader = viewer.reader
    summary, drops, earlier = reader.plate(board[0]), reader.drops(board), reader.earlier(board)
    return board_record(board, summary, drops, earlier, viewer.thumbnails.version)


def ledger_value(viewer: Viewer, image_id: int) -> Record:
    """Return one image with all its scores."""
    image = viewer.reader.image(image_id)
    return ledger_record(image, viewer.imaging.ledger(image_id), viewer.thumbnails.version)


def get_plates(request: Request) -> Response:
    """Answer with every plate."""
    return json_answer(request, plates_value(viewer_of(request)))


def get_board(request: Request) -> Response:
    """Answer with one inspection of a plate."""
    return json_answer(request, board_value(viewer_of(request), board_of(request)))


def get_counts(request: Request) -> Response:
    """Answer with how many drops of an inspection are in each group."""
    return json_answer(request, counts_record(viewer_of(request).reader.drops(board_of(request))))


def get_drop(request: Request) -> Response:
    """Answer with one image and all its scores."""
    return json_answer(request, ledger_value(viewer_of(request), request.path_params["image_id"]))


def get_siblings(request: Request) -> Response:
    """Answer with the same drop at every inspection, in every channel."""
    viewer = viewer_of(request)
    image = viewer.reader.image(request.path_params["image_id"])
    drops = viewer.reader.siblings(image)
    return json_answer(request, {"drops": [drop_record(drop, None, viewer.thumbnails.version) for drop in drops]})


def get_score_table(request: Request) -> Response:
    """Answer with a plate's scores as CSV: of one inspection, or of all when none is named."""
    viewer, (plate, latest, channel) = viewer_of(request), board_of(request)
    named = "inspection" in request.query_params
    inspections = (latest,) if named else viewer.reader.plate(plate).inspections
    drops = [drop for each in inspections for drop in viewer.reader.drops((plate, each, channel))]
    safe = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in plate)
    name = f"scores-{safe}-inspection-{latest}.csv" if named else f"scores-{safe}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"}
    return Response(score_table(drops), headers=headers, media_type="text/csv; charset=utf-8")


async def post_score(request: Request) -> Response:
    """Add a person's score to the ledger and answer with the image's scores."""
    check_may_write(request)
    body = await _body(request)
    return await run_in_threadpool(_add_score, viewer_of(request), body)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"a score has at most {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _add_score(viewer: Viewer, body: bytes) -> Response:
    try:
        score = read_score(body)
    except ScoreRequestError as error:
        raise HTTPException(400, str(error)) from error
    viewer.reader.image(score.image_id)
    viewer.imaging.add_manual_score(score)
    viewer.reader.forget()
    return JSONResponse(ledger_value(viewer, score.image_id), 201)
