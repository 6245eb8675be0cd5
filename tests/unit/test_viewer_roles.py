"""What each role may ask the viewer for, and what it is without anybody who signs in."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from crystal_search.viewer.addresses import Address
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.people import gate
from crystal_search.viewer.people.asker import Asker
from crystal_search.viewer.people.nobody import NobodySignsIn
from crystal_search.viewer.people.person import Event
from crystal_search.viewer.people.role_route import RoleRoute
from crystal_search.viewer.people.roles import ANYBODY, LEAST, MOST, ROLES, allows
from crystal_search.viewer.people.slowing import Pace
from crystal_search.viewer.routes import ADDRESSES
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import Client, add_plate

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class As:
    """Everybody has one role."""

    role: str
    writes_per_minute: int = 300

    def asker(self, _: HTTPConnection) -> Asker:
        name = "Ada" if self.role else ""
        return Asker(name=name, role=self.role)

    def note(self, event: Event) -> None:
        pass


@pytest.fixture
def imaging() -> Iterator[MemoryImaging]:
    database = MemoryImaging()
    yield database
    database.close()


def routes_of(app: Starlette) -> list[RoleRoute]:
    return [each for each in app.routes if isinstance(each, RoleRoute)]


def score(image_id: int) -> bytes:
    return json.dumps({"image_id": image_id, "outcome": "clear", "person": "Ada"}).encode()


def test_every_address_that_writes_names_its_role() -> None:
    writing = [each for each in ADDRESSES if each.method == "POST"]
    assert len(writing) >= 4
    assert [each.path for each in writing if each.role is None] == []


def test_what_writes_and_names_no_role_is_an_administrators() -> None:
    assert Address(path="/x", endpoint=print, says="", method="POST").needs == MOST  # type: ignore[arg-type]
    assert Address(path="/x", endpoint=print, says="").needs == LEAST  # type: ignore[arg-type]


@pytest.mark.parametrize("role", [ANYBODY, *ROLES])
def test_a_role_opens_what_it_allows_and_nothing_else(imaging: MemoryImaging, tmp_path: Path, role: str) -> None:
    app = viewer_app(imaging, tmp_path, sign_in=As(role))
    client = Client(app)
    for route in routes_of(app):
        path = re.sub(r"\{image_id[^}]*\}", "1", route.path).replace("{plate}", "P1").replace("{queue}", "person")
        answer = client.post(path, b"{}") if route.writes else client.get(path)
        is_refused = answer.status_code == 403
        assert is_refused != allows(role, route.role), (route.path, answer.text)


def test_the_roles_are_in_the_docs() -> None:
    page = (DOCS / "sign-in.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", page, re.MULTILINE)) == ROLES


@pytest.mark.parametrize(
    ("listens_here", "base", "headers"),
    [
        (False, "http://127.0.0.1:8765", {}),
        (True, "http://plates.lab:8765", {}),
        (True, "http://127.0.0.1:8765", {"x_forwarded_for": "10.0.0.9"}),
        (True, "http://127.0.0.1:8765", {"forwarded": "for=10.0.0.9"}),
    ],
)
def test_from_a_network_the_viewer_is_read_only(
    imaging: MemoryImaging, tmp_path: Path, listens_here: bool, base: str, headers: dict[str, str]
) -> None:
    drop = add_plate(imaging, tmp_path)[0]
    names = ("127.0.0.1", "plates.lab")
    client = Client(viewer_app(imaging, tmp_path, names=names, sign_in=NobodySignsIn(listens_here)), base)
    answer = client.post("/api/score", score(drop.image.id), **headers)
    assert answer.status_code == 403
    assert "read-only" in answer.json()["error"]
    assert "read-only: nobody signs in here" in client.get("/plate/P1", **headers).text
    assert imaging.ledger(drop.image.id) == []


def test_here_everything_is_allowed(imaging: MemoryImaging, tmp_path: Path) -> None:
    drop = add_plate(imaging, tmp_path)[0]
    client = Client(viewer_app(imaging, tmp_path))
    assert client.post("/api/score", score(drop.image.id)).status_code == 201
    assert "read-only" not in client.get("/plate/P1").text


def test_every_route_that_writes_refuses_other_sites_pages(imaging: MemoryImaging, tmp_path: Path) -> None:
    app = viewer_app(imaging, tmp_path)
    for path in (each.path for each in routes_of(app) if each.writes):
        foreign = Client(app).post(path, b"{}", origin="http://evil.example")
        framed = Client(app).post(path, b"{}", sec_fetch_site="same-site")
        form = Client(app).post(path, b"{}", content_type="text/plain")
        assert [each.status_code for each in (foreign, framed, form)] == [403, 403, 415], path


def test_who_writes_too_much_waits(imaging: MemoryImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "Pace", partial(Pace, clock=lambda: 0.0))
    drop = add_plate(imaging, tmp_path)[0]
    client = Client(viewer_app(imaging, tmp_path, sign_in=NobodySignsIn(writes_per_minute=2)))
    answers = [client.post("/api/score", score(drop.image.id)) for _ in range(3)]
    assert [each.status_code for each in answers] == [201, 201, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 30
    assert client.get("/plate/P1").status_code == 200
