"""Pictures for the pages, by an image's id; no path ever comes from a request."""

import asyncio
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from crystal_search.errors import ImageError
from crystal_search.server.imaging.imaging_database import StoredImage
from crystal_search.viewer.context import viewer_of
from crystal_search.viewer.thumbnails import Picture
from crystal_search.viewer.versions import version_of

FOR_GOOD = "private, max-age=31536000, immutable"
PATIENCE_S = 10.0  #: browsers ask for six things at a time; pictures on a share that hangs must not hold them all


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
    return FileResponse(picture.path, headers=headers, media_type=picture.media_type)
