"""The experts' pages, asked without a network: what they tell, and above all what they do not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from crystal_search.panel.experts import invite, sheets_of
from crystal_search.panel.panel_app import panel_app
from crystal_search.panel.panel_set import PanelImage, PanelSet, read_set, write_set
from tests.viewer_site import Client, picture

SECRETS = ("SECRET-PLATE", "H12", "secret-source", "phase")  #: of the images, that no expert may see


def panel_in(folder: Path, count: int = 6, repeats: int = 2) -> PanelSet:
    images = []
    for number in range(count):
        file = f"images/{number:04d}.jpg"
        picture(folder / file, shade=60 + 9 * number)
        images.append(
            PanelImage(
                file=file,
                path=f"/secret-source/{number}.jpg",
                image_id=7000 + number,
                plate="SECRET-PLATE",
                well="H12",
                drop=3,
                inspection=5,
                drawn_as="precipitate",
            )
        )
    panel = PanelSet(name="Spring <panel>", drawn_at="now", seed=1, repeats=repeats, images=tuple(images))
    write_set(folder, panel)
    return panel


@pytest.fixture
def panel(tmp_path: Path) -> PanelSet:
    return panel_in(tmp_path)


@pytest.fixture
def client(tmp_path: Path, panel: PanelSet) -> Client:
    invite(tmp_path, ["Ada", "Bob"])
    return Client(panel_app(tmp_path, panel))


def link(folder: Path, name: str = "Ada") -> str:
    return next(
        f"/expert/{each.expert.token}/" for each in sheets_of(folder, read_set(folder)) if each.expert.name == name
    )


def data_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.split('id="data">')[1].split("</script>", maxsplit=1)[0])
    return found


def answer(place: int, what: str) -> bytes:
    return json.dumps({"place": place, "answer": what}).encode()


class TestBlind:
    def test_a_page_knows_only_places_and_own_answers(self, client: Client, tmp_path: Path) -> None:
        assert client.post(f"{link(tmp_path, 'Bob')}answer", answer(0, "other")).status_code == 201
        assert client.post(f"{link(tmp_path)}answer", answer(3, "clear")).json() == {"answered": 1}
        text = client.get(link(tmp_path)).text
        assert data_of(text)["answers"] == {"3": "clear"}
        assert set(data_of(text)) == {"classes", "places", "answers"}
        assert data_of(text)["places"] == 8
        assert not [secret for secret in (*SECRETS, "7000", "Bob", "0001.jpg") if secret in text]
        assert "Spring &lt;panel&gt;" in text

    def test_a_picture_has_no_other_address_than_its_place(
        self, client: Client, tmp_path: Path, panel: PanelSet
    ) -> None:
        (ada, _) = sheets_of(tmp_path, panel)
        for place, at in enumerate(ada.shown):
            found = client.get(f"{link(tmp_path)}picture/{place}")
            assert found.content == (tmp_path / panel.images[at].file).read_bytes()
            assert found.headers["content-type"] == "image/jpeg"
            assert "etag" not in found.headers
            assert not [name for name, value in found.headers.items() if "000" in value and name != "content-length"]
        assert client.get(f"{link(tmp_path)}picture/8").status_code == 404

    def test_two_experts_have_two_orders(self, client: Client, tmp_path: Path, panel: PanelSet) -> None:
        ada, bob = sheets_of(tmp_path, panel)
        assert ada.shown != bob.shown
        assert client.get(f"{link(tmp_path)}picture/0").status_code == 200

    def test_no_page_is_kept_by_others(self, client: Client, tmp_path: Path) -> None:
        assert client.get(link(tmp_path)).headers["cache-control"] == "no-store"
        assert "private" in client.get(f"{link(tmp_path)}picture/0").headers["cache-control"]


class TestLinks:
    @pytest.mark.parametrize(
        "address", ["/expert/x/", "/expert/x/picture/0", "/panel.json", "/experts.json", "/static/x"]
    )
    def test_what_nobody_was_given_is_nowhere(self, client: Client, address: str) -> None:
        assert client.get(address).status_code == 404
        assert "That did not work" in client.get(address, accept="text/html").text

    def test_who_is_invited_later_can_come_at_once(self, client: Client, tmp_path: Path) -> None:
        invite(tmp_path, ["Cy"])
        assert client.get(link(tmp_path, "Cy")).status_code == 200

    def test_names_are_taken_only_where_that_is_said(self, client: Client, tmp_path: Path, panel: PanelSet) -> None:
        assert "link of their own" in client.get("/").text
        assert client.post("/enter", b'{"name": "Eve"}').status_code == 403
        alone = Client(panel_app(tmp_path, panel, open_to_names=True))
        address = alone.post("/enter", b'{"name": " eve "}').json()["address"]
        assert alone.post("/enter", b'{"name": "Eve"}').json()["address"] == address
        assert "eve" in alone.get(address).text
        assert alone.post("/enter", b'{"name": ""}').status_code == 400
        assert "Your name" in alone.get("/").text

    def test_other_sites_cannot_answer(self, client: Client, tmp_path: Path) -> None:
        address = f"{link(tmp_path)}answer"
        assert client.post(address, answer(0, "clear"), origin="http://evil.example").status_code == 403
        assert client.post(address, answer(0, "clear"), content_type="text/plain").status_code == 415
        assert Client(client.app, "http://evil.example").get("/").status_code == 421


class TestAnswers:
    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", answer(8, "clear"), answer(-1, "clear"), answer(0, "crystals"), b'{"place": 0}', b"[" * 9000],
    )
    def test_what_is_no_answer_is_refused(self, client: Client, tmp_path: Path, body: bytes) -> None:
        assert client.post(f"{link(tmp_path)}answer", body).status_code == 400
        assert not (tmp_path / "answers").exists()

    def test_they_outlive_the_service(self, client: Client, tmp_path: Path, panel: PanelSet) -> None:
        for place, what in ((0, "clear"), (1, "other"), (0, "crystal")):
            client.post(f"{link(tmp_path)}answer", answer(place, what))
        text = Client(panel_app(tmp_path, panel)).get(link(tmp_path)).text
        assert data_of(text)["answers"] == {"0": "crystal", "1": "other"}

    def test_a_full_disk_is_said(self, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("crystal_search.panel.experts.write_whole", full)
        found = client.post(f"{link(tmp_path)}answer", answer(0, "clear"))
        assert found.status_code == 500
        assert "nosniff" in found.headers["x-content-type-options"]
        assert data_of(client.get(link(tmp_path)).text)["answers"] == {}


def test_pages_load_nothing_from_elsewhere(client: Client, tmp_path: Path) -> None:
    for text in (client.get("/").text, client.get(link(tmp_path)).text):
        loaded = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert loaded
        assert all(each.startswith("/static/") for each in loaded)  # the pages' own policy lets nothing else through
        assert all(client.get(each).status_code == 200 for each in loaded if each.startswith("/"))
