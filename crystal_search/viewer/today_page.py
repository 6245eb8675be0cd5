"""The first page, Today: the best drops of all plates that are new; and who has seen what."""

from datetime import UTC, datetime, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from crystal_search.server.imaging.best_drops import BestQuery
from crystal_search.server.imaging.plate_facts import PlateFacts
from crystal_search.server.imaging.plate_list import PlateQuery
from crystal_search.viewer import plates_page
from crystal_search.viewer.api import body_of, longest_um
from crystal_search.viewer.best_cards import Card, plates_of
from crystal_search.viewer.context import Viewer, json_answer, page, viewer_of
from crystal_search.viewer.hand_scores import MAX_PERSON, ScoreRequestError, read_looking
from crystal_search.viewer.json_records import Record, drop_record, moment
from crystal_search.viewer.parameters import number, words
from crystal_search.viewer.people.asker import asker_of, tell

PERSON = words("person", "who looks; whoever is signed in is known", default="", most=MAX_PERSON)
DAYS = number("days", "of so many days; by default since the person looked last", default=None, most=3650)
AFTER = number("after", "after so many plates that are new, the first ones", default=0, least=0)
ASKED = (PERSON, DAYS, AFTER)
OF_PLATES = frozenset(each.name for each in plates_page.ASKED)  #: a link to the list of plates, which was here
FIRST_DAYS = 7  #: for whoever never looked before


def get_today_page(request: Request) -> Response:
    """Show the frame of the page; the drops are asked for by the person whom the browser knows."""
    if OF_PLATES & request.query_params.keys():
        return RedirectResponse(f"/plates?{request.url.query}")
    return page(request, "today.html", {"data": {"outcomes": viewer_of(request).outcomes}})


def get_today(request: Request) -> Response:
    """Answer with the best drops that are new to a person."""
    viewer, now = viewer_of(request), datetime.now(UTC)
    person = asker_of(request).name or PERSON.of(request)
    last, days = viewer.imaging.last_looked(person) if person else None, DAYS.of(request)
    since = last if last and not days else now - timedelta(days=days or FIRST_DAYS)
    best = viewer.reader.best_cards(BestQuery(person=person, since=since, after=AFTER.of(request)))
    facts = viewer.imaging.plate_facts(plates_of(best.cards))
    told = {
        "person": person,
        "days": days,
        "since": moment(since),
        "last_looked": moment(last),
        "as_of": now.isoformat(),
    }
    any_plates = bool(best.cards or viewer.reader.list_plates(PlateQuery(per_page=1)).all)
    plates = {"plates": best.plates, "more": best.is_more, "any_plates": any_plates}
    return json_answer(request, told | plates | {"cards": [_card(viewer, card, facts) for card in best.cards]})


def _card(viewer: Viewer, card: Card, facts: dict[str, PlateFacts]) -> Record:
    plate = facts.get(card.drop.image.key.plate)
    about = {"project": plate.project if plate else "", "seen": card.seen, "longest_um": longest_um(viewer, card.drop)}
    return drop_record(card.drop, None, viewer.thumbnails.version) | about


async def post_looking(request: Request) -> Response:
    """Note which plates a person has seen, or that they have looked through Today."""
    viewer = viewer_of(request)
    if viewer.is_snapshot:
        raise HTTPException(403, "this is a snapshot of an installation that cannot be written: nothing is noted")
    body = await body_of(request)

    def work() -> Response:
        try:
            looking = read_looking(body, asker_of(request).name)
        except ScoreRequestError as error:
            raise HTTPException(400, str(error)) from error
        tell(request, "", kind="")  # whoever looks changes nothing that others see
        noted = viewer.imaging.note_seen(looking.person, looking.plates, at=looking.at) if looking.plates else []
        if looking.through:
            viewer.imaging.note_looked(looking.person, at=looking.at)
        return JSONResponse({"plates": noted})

    return await run_in_threadpool(work)
