"""The viewer as a web application: its routes, and what they share."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import Scope

from crystal_search import __version__
from crystal_search.errors import DatabaseError
from crystal_search.server.imagers import Imagers
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase
from crystal_search.server.installation import Installation
from crystal_search.server.readouts_in_use import idle_if_known
from crystal_search.server.services.readout_offers import offers_if_known
from crystal_search.server.services.shown_scores import ShownScores, shown_in
from crystal_search.server.services.triage_states import triage_states
from crystal_search.viewer import api, pages
from crystal_search.viewer.compression import Compressed
from crystal_search.viewer.context import Viewer
from crystal_search.viewer.frame_colours import Frames
from crystal_search.viewer.guard import LOOPBACK_NAMES, Guard
from crystal_search.viewer.json_records import NO_FRAMES, outcome_table
from crystal_search.viewer.limited import limited_viewer
from crystal_search.viewer.message_settings import message_desk
from crystal_search.viewer.people.asker import SignIn
from crystal_search.viewer.people.gate import Gate
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.people.nobody import NobodySignsIn
from crystal_search.viewer.queues import Queues
from crystal_search.viewer.reading import PlateReader, Promised
from crystal_search.viewer.recent import Recent
from crystal_search.viewer.routes import ADDRESSES
from crystal_search.viewer.thumbnails import Thumbnails

HERE = Path(__file__).parent
MAX_PICTURE_MAKERS = 4
HERE_ALONE = NobodySignsIn()  #: this machine's browsers may do everything
LIMITED_SECONDS = 3600.0  #: for which what people see of some projects only is kept ready
READOUTS_SECONDS = 60.0  #: how old may be what is said of readouts
Told = TypeVar("Told")
_ERROR_PAGES = {
    HTTPException: pages.show_http_error,
    DatabaseError: pages.show_database_error,
    Exception: pages.show_other_error,
}


class ImageIdConvertor(IntegerConvertor):
    """The number of an image in an address, of so many digits as databases count to and programs read."""

    regex = "[0-9]{1,15}"


class KeptFiles(StaticFiles):
    """Static files whose address changes with their content, so that browsers keep them for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with the header that says so."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = api.FOR_GOOD
        return response


def static_address() -> str:
    """Return where the static files are: an address made from their content."""
    digest = hashlib.sha256()
    for path in sorted((HERE / "static").iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


def viewer_app(
    imaging: ImagingDatabase,
    thumbnails: Path,
    *,
    names: Collection[str] = LOOPBACK_NAMES,
    sign_in: SignIn = HERE_ALONE,
    frames: Frames = NO_FRAMES,
    is_snapshot: bool = False,
    site: Installation | None = None,
    time_zone: str = "",
) -> Starlette:
    """Return the viewer of an imaging database.

    Parameters
    ----------
    imaging
        Where plates and scores are; whoever opened it closes it.
    thumbnails
        The folder of the viewer's cache.
    names
        The host names that the viewer answers to.
    sign_in
        How it becomes known who asks; by default nobody signs in, and this machine's browsers may do everything.
    frames
        Frame colours that the facility has set.
    is_snapshot
        Whether the database is a copy, for which no scores are taken.
    site
        Whose files say what an import would do, how imagers are, what models said, and which readouts are in use.
    time_zone
        IANA name of the zone of the robots' clocks; empty: this machine's.
    """
    shown = shown_in(site.home, site.imagers) if site else ShownScores
    promised = partial(triage_states, site) if site else _nothing
    static = static_address()
    makers = ThreadPoolExecutor(min(MAX_PICTURE_MAKERS, os.cpu_count() or 1), thread_name_prefix="pictures")
    viewer = Viewer(
        imaging=imaging,
        reader=PlateReader(imaging, time_zone=time_zone, shown=shown, promised=promised),
        thumbnails=Thumbnails(thumbnails),
        picture_makers=makers,
        templates=_templates(static, is_snapshot=is_snapshot),
        outcomes=outcome_table(frames),
        is_snapshot=is_snapshot,
        import_plan=site.home.import_plan if site else None,
        sentinel=site.home.sentinel if site else None,
        shown=shown,
        offers=_of_late(site, offers_if_known) if site else tuple,
        idle=_of_late(site, idle_if_known) if site else tuple,
        imagers=site.imagers if site else Imagers(),
        micrometres_per_pixel=site.settings.micrometres_per_pixel if site else {},
        queues=Queues(site) if site else None,
        messages=message_desk(site.home) if site and not is_snapshot else None,
        people=sign_in if isinstance(sign_in, KnownPeople) else None,
    )
    return _application(viewer, static, names=names, sign_in=sign_in)


def _application(viewer: Viewer, static: str, *, names: Collection[str], sign_in: SignIn) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        viewer.picture_makers.shutdown(cancel_futures=True)
        viewer.thumbnails.close()

    register_url_convertor("image_id", ImageIdConvertor())
    app = Starlette(
        routes=[*(each.route for each in ADDRESSES), Mount(static, KeptFiles(directory=HERE / "static"))],
        middleware=[Middleware(Guard, names=names), Middleware(Gate, sign_in=sign_in), Middleware(Compressed)],
        exception_handlers=_ERROR_PAGES,
        lifespan=lifespan,
    )
    app.state.addresses = ADDRESSES
    app.state.viewer = viewer
    app.state.limited = Recent(partial(limited_viewer, viewer), seconds=LIMITED_SECONDS)
    return app


def _nothing(_: Sequence[DropScores]) -> Promised:
    return {}


def _of_late(site: Installation, ask: Callable[[Installation], list[Told]]) -> Callable[[], Sequence[Told]]:
    """Return what asks something of an installation, and goes by the last answer for a while."""
    recent: Recent[str, list[Told]] = Recent(lambda _: ask(site), seconds=READOUTS_SECONDS)
    return lambda: recent.get("")


def _templates(static: str, *, is_snapshot: bool) -> Jinja2Templates:
    templates = Jinja2Templates(HERE / "templates")
    templates.env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    templates.env.globals.update(static=static, program_version=__version__, is_snapshot=is_snapshot)
    return templates
