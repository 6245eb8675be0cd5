import asyncio
import csv
import io
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from crystal_search.errors import DatabaseError
from crystal_search.model import sha256_of
from crystal_search.outcomes import OUTCOMES
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.stored_images import FileVersion, NewImage, Postponement
from crystal_search.viewer import api, reading
from crystal_search.viewer.app import static_address, viewer_app
from crystal_search.viewer.context import Viewer
from crystal_search.viewer.guard import SECURITY_HEADERS
from crystal_search.viewer.json_records import Record
from crystal_search.viewer.reading import Board
from crystal_search.wells import WellKey
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import Client, add_plate, auto_score, hand_score, picture, score_plate

SCORE = {"image_id": 1, "outcome": "clear", "person": "Ada"}


@pytest.fixture
def imaging() -> Iterator[MemoryImaging]:
    database = MemoryImaging()
    yield database
    database.close()


@pytest.fixture
def client(imaging: MemoryImaging, tmp_path: Path) -> Client:
    return Client(viewer_app(imaging, tmp_path / "thumbnails"))


def test_without_plates_the_page_says_what_to_do(client: Client) -> None:
    answer = client.get("/plates")
    assert answer.status_code == 200
    assert "crystal-search import FOLDER" in answer.text


def test_the_list_names_every_plate_with_its_progress(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    drops = add_plate(imaging, tmp_path, plate="B2")
    add_plate(imaging, tmp_path, plate="A1")
    score_plate(imaging, drops, ["clear", "precipitate"])
    plates = client.get("/api/plates?sort=plate").json()["plates"]
    assert [(each["plate"], each["scored"], each["images"]) for each in plates] == [("A1", 0, 6), ("B2", 2, 6)]
    assert plates[1]["last_scored_at"] == "2025-11-20T12:00:00+00:00"


def test_the_board_shows_both_kinds_of_score(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    drops = add_plate(imaging, tmp_path)
    score_plate(imaging, drops, ["crystal_harvestable", "no_drop", "unreadable"])
    imaging.add_manual_score(hand_score(drops[0].image.id, "precipitate"))
    board = client.get("/api/plate/P1").json()
    assert (board["scored"], board["images"]) == (3, 6)
    first = board["drops"][0]
    assert (first["well"], first["drop"]) == ("A01", 1)
    assert (first["auto"]["outcome"], first["auto"]["p_crystal"]) == ("crystal_harvestable", 0.97)
    assert first["auto"]["drop_box"] == [0.25, 0.25, 0.75, 0.75]
    assert [(each["outcome"], each["person"]) for each in first["people"]] == [("precipitate", "Ada")]
    assert [each["auto"] and each["auto"]["outcome"] for each in board["drops"][1:4]] == ["no_drop", "unreadable", None]


@pytest.mark.parametrize(
    ("query", "opened"),
    [
        ("", (2, "visible")),
        ("?channel=uv", (3, "uv")),
        ("?inspection=3", (3, "uv")),
        ("?inspection=1", (1, "visible")),
        ("?inspection=2&channel=visible", (2, "visible")),
    ],
)
def test_a_plate_opens_where_it_has_images(
    imaging: MemoryImaging, client: Client, tmp_path: Path, query: str, opened: tuple[int, str]
) -> None:
    for number, light in ((1, "visible"), (1, "uv"), (2, "visible"), (3, "uv")):
        add_plate(imaging, tmp_path, inspection=number, channel=light)
    board = client.get(f"/api/plate/P1{query}").json()
    assert (board["inspection"], board["channel"], board["images"]) == (*opened, 6)


def test_an_inspection_without_images_in_a_channel_is_empty(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    add_plate(imaging, tmp_path)
    add_plate(imaging, tmp_path, inspection=2, channel="uv")
    board = client.get("/api/plate/P1?inspection=2&channel=visible").json()
    assert (board["inspection"], board["channel"], board["drops"]) == (2, "visible", [])


def test_a_score_by_hand_stays_in_sight_at_the_next_inspection(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    imaging.add_manual_score(hand_score(first.image.id, "spherulites"))
    add_plate(imaging, tmp_path, inspection=2)
    board = client.get("/api/plate/P1").json()
    assert board["inspection"] == 2
    assert board["drops"][0]["people"] == []
    earlier = board["drops"][0]["earlier"]
    assert (earlier["outcome"], earlier["inspection"]) == ("spherulites", 1)


def test_an_unchanged_board_is_not_sent_twice(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    add_plate(imaging, tmp_path)
    tag = client.get("/api/plate/P1").headers["etag"]
    for coding in ("gzip", "identity"):
        again = client.get("/api/plate/P1", if_none_match=tag, accept_encoding=coding)
        assert (again.status_code, again.content) == (304, b"")


def test_text_goes_out_compressed_and_pictures_as_they_are(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    first, *_ = add_plate(imaging, tmp_path, rows=8, columns=12)
    static = static_address()
    texts = [
        "/",
        "/plates",
        "/plate/P1",
        f"/drop/{first.image.id}",
        "/api/plate/P1",
        "/plate/P1/scores.csv",
        "/outcomes.css",
    ]
    for path in (*texts, f"{static}/drop.js", f"{static}/base.css"):
        plain, packed = (client.get(path, accept_encoding=coding) for coding in ("identity", "gzip, deflate"))
        assert (plain.headers.get("content-encoding"), packed.headers.get("content-encoding")) == (None, "gzip")
        assert packed.content == plain.content
        assert "accept-encoding" in packed.headers["vary"].lower()
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
    for path in (f"/image/{first.image.id}", f"/thumbnail/{first.image.id}"):
        assert "content-encoding" not in client.get(path, accept_encoding="gzip").headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/plate/none", 404),
        ("/api/plate/P1?inspection=7", 404),
        ("/api/plate/P1?channel=uv", 404),
        ("/api/plate/P1?inspection=x", 400),
        ("/api/plate/P1?inspection=-1", 400),
        ("/api/drop/99", 404),
        ("/thumbnail/99", 404),
        ("/image/99", 404),
        ("/api/drop/99999999999999999999", 404),
        ("/thumbnail/" + "9" * 5000, 404),
        ("/nothing", 404),
        ("/static/nothing.js", 404),
    ],
)
def test_every_error_has_one_shape(
    imaging: MemoryImaging, client: Client, tmp_path: Path, path: str, status: int
) -> None:
    add_plate(imaging, tmp_path)
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert answer.json()["error"]


@pytest.mark.parametrize("path", ["/plate/none", "/drop/99", "/report?project=none", "/picks?ids=99", "/queues/none"])
def test_people_get_an_error_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "All plates" in answer.text


def test_a_database_that_fails_is_told(imaging: MemoryImaging, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DatabaseError("the imaging database does not answer")

    monkeypatch.setattr(imaging, "plates", fail)
    assert client.get("/api/plates").json() == {"status": 503, "error": "the imaging database does not answer"}


def test_an_error_of_ours_tells_nothing_of_the_inside(
    imaging: MemoryImaging, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imaging, "plates", lambda: 1 / 0)
    answer = client.get("/api/plates")
    assert answer.status_code == 500
    assert "division" not in answer.text


@pytest.mark.parametrize(
    "path", ["/plates", "/api/plates", "/drop/99999999999999999999", "/static/nothing.js", "/nothing"]
)
def test_every_answer_has_the_security_headers(
    imaging: MemoryImaging, client: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(imaging, "plates", lambda: 1 / 0)
    answer = client.get(path)
    assert answer.status_code in (404, 500)
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_score_that_comes_drop_by_drop_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=client.app)
        headers = {"content-type": "application/json"}
        async with httpx.AsyncClient(transport=transport, base_url=client.base) as browser:
            return await browser.post("/api/score", content=never(), headers=headers)

    monkeypatch.setattr(api, "PATIENCE_S", 0.1)
    assert asyncio.run(ask()).status_code == 408


def test_text_of_the_database_cannot_become_markup(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, *_ = add_plate(imaging, tmp_path, plate="<script>alert(1)</script>".replace("/", "-"))
    imaging.add_manual_score(hand_score(first.image.id, "clear", person="</script><b>"))
    text = client.get(f"/drop/{first.image.id}").text
    assert "<script>alert" not in text
    assert "</script><b>" not in text


def test_pages_load_only_what_is_ours(client: Client) -> None:
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "http://" not in answer.text
    assert "https://" not in answer.text


def test_static_files_are_kept_for_good(client: Client) -> None:
    page = client.get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = client.get(address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


def test_frame_colours_come_from_the_outcomes(client: Client) -> None:
    text = client.get("/outcomes.css").text
    for outcome in OUTCOMES:
        assert f".is-{outcome.name}{{--frame:{outcome.frame};" in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "", "127.0.0.1.evil.example"])
def test_other_host_names_are_refused(imaging: MemoryImaging, client: Client, host: str) -> None:
    answer = client.get("/api/plates", host=host)
    assert answer.status_code == 421
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765", "LOCALHOST"])
def test_own_host_names_are_answered(client: Client, host: str) -> None:
    assert client.get("/api/plates", host=host).status_code == 200


def test_a_score_by_hand_is_added_and_the_machines_stays(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    imaging.add_auto_scores([auto_score(first.image.id, "clear")])
    client.get("/api/plate/P1")
    for outcome in ("crystal_bad_form", "no_drop"):
        body = {"image_id": first.image.id, "outcome": outcome, "person": " Ada Lovelace ", "comment": "tiny"}
        answer = client.post("/api/score", json.dumps(body).encode())
        assert answer.status_code == 201
    by = [(each["by"], each["outcome"]) for each in answer.json()["ledger"]]
    assert by == [("person", "no_drop"), ("person", "crystal_bad_form"), ("machine", "clear")]
    shown = client.get("/api/plate/P1").json()["drops"][0]
    (said,) = shown["people"]
    assert (shown["auto"]["outcome"], said["outcome"]) == ("clear", "no_drop")
    assert (said["person"], said["comment"]) == ("Ada Lovelace", "tiny")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
    ],
)
def test_other_sites_cannot_score(
    imaging: MemoryImaging, client: Client, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    taking_back, comment = {"score_id": 1, "person": "Ada"}, {"person": "Ada", "text": "tiny"}
    for path, body in (("/api/score", SCORE), ("/api/take-back", taking_back), ("/api/comment", comment)):
        answer = client.post(path, json.dumps(body | {"image_id": first.image.id}).encode(), **headers)
        assert answer.status_code == status
    assert imaging.ledger(first.image.id) == []


def test_a_score_is_taken_back_by_whom_it_is_of(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    for person, outcome in (("Ada", "clear"), ("Ben", "precipitate"), ("Ada", "other")):
        imaging.add_manual_score(hand_score(first.image.id, outcome, person=person))
    newest, of_ben, oldest = client.get(f"/api/drop/{first.image.id}").json()["ledger"]

    def back(score: dict[str, Any], person: str) -> httpx.Response:
        asked = {"image_id": first.image.id, "score_id": score["id"], "person": person}
        return client.post("/api/take-back", json.dumps(asked).encode())

    refused = [back(oldest, "Ada"), back(of_ben, "Ada"), back(newest, "Ben")]
    assert [each.status_code for each in refused] == [409] * 3
    answer = back(newest, "Ada")
    assert answer.status_code == 201
    assert [each["counts"] for each in answer.json()["ledger"]] == [False, True, True]
    assert answer.json()["ledger"][0]["taken_back_at"] is not None
    people = client.get("/api/plate/P1").json()["drops"][0]["people"]
    assert [(each["person"], each["outcome"]) for each in people] == [("Ben", "precipitate"), ("Ada", "clear")]
    assert back(newest, "Ada").status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b'{"image_id": 1, "score_id": 1}', 400),
        (b'{"image_id": 1, "score_id": "1", "person": "Ada"}', 400),
        (b'{"image_id": 99, "score_id": 1, "person": "Ada"}', 404),
    ],
)
def test_taking_back_is_checked_like_a_score(
    imaging: MemoryImaging, client: Client, tmp_path: Path, body: bytes, status: int
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    imaging.add_manual_score(hand_score(first.image.id, "clear"))
    assert client.post("/api/take-back", body).status_code == status
    assert [each.outcome for each in imaging.drops("P1", inspection=1)[0].people] == ["clear"]


def test_a_comment_is_added_without_a_score(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    imaging.add_manual_score(hand_score(first.image.id, "clear", person="Ben", comment="with a score"))
    for text in (" tiny needles ", "</script><b>"):
        body = {"image_id": first.image.id, "person": "Ada", "text": text}
        answer = client.post("/api/comment", json.dumps(body).encode())
        assert answer.status_code == 201
    expected = [("Ben", "with a score"), ("Ada", "tiny needles"), ("Ada", "</script><b>")]
    assert [(each["person"], each["text"]) for each in answer.json()["comments"]] == expected
    assert [each["by"] for each in answer.json()["ledger"]] == ["person"]
    shown = client.get("/api/plate/P1").json()["drops"]
    assert [len(each["comments"]) for each in shown] == [3, 0, 0, 0, 0, 0]
    assert "</script><b>" not in client.get(f"/drop/{first.image.id}").text
    (row, *_) = csv.DictReader(io.StringIO(client.get("/plate/P1/scores.csv").text))
    assert row["comments"] == "Ben: with a score | Ada: tiny needles | Ada: </script><b>"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"image_id": 1, "person": "Ada"}', 400),
        (b'{"image_id": 1, "person": "Ada", "text": ""}', 400),
        (b'{"image_id": 1, "person": "Ada", "text": "a\\u0000b"}', 400),
        (b'{"image_id": 1, "person": "", "text": "tiny"}', 400),
        (b'{"image_id": 99, "person": "Ada", "text": "tiny"}', 404),
    ],
)
def test_a_comment_that_cannot_be_is_refused(
    imaging: MemoryImaging, client: Client, tmp_path: Path, body: bytes, status: int
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    assert client.post("/api/comment", body).status_code == status
    assert imaging.comments(first.image.id) == []


def test_a_score_for_no_image_is_refused(client: Client) -> None:
    assert client.post("/api/score", json.dumps(SCORE).encode()).status_code == 404


def test_a_huge_body_is_refused(client: Client) -> None:
    assert client.post("/api/score", b" " * 100_000).status_code == 413


def test_a_thumbnail_is_small_and_kept_for_good_under_its_version(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    version = client.get("/api/plate/P1").json()["drops"][0]["version"]
    named = client.get(f"/thumbnail/{first.image.id}?v={version}")
    assert named.headers["content-type"] == "image/jpeg"
    assert "immutable" in named.headers["cache-control"]
    assert client.get(f"/thumbnail/{first.image.id}?v=old").headers["cache-control"] == "no-cache"
    picture(Path(first.image.path), shade=10)
    changed = client.get(f"/thumbnail/{first.image.id}?v={version}")
    assert changed.headers["cache-control"] == "no-cache"
    assert changed.content != named.content


def read_now(path: str) -> FileVersion:
    status = os.stat(path)
    sha256 = sha256_of(Path(path).read_bytes())
    return FileVersion(sha256=sha256, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, remarks=("page 2 of 3",))


def test_a_picture_is_never_shown_beside_the_scores_of_another(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    (drop,) = add_plate(imaging, tmp_path, rows=1, columns=1)
    score_plate(imaging, [drop], ["clear"])
    image, path = drop.image, Path(drop.image.path)
    imaging.note_versions({image.id: read_now(image.path)})
    (shown,) = client.get("/api/plate/P1").json()["drops"]
    for kind in ("thumbnail", "image"):
        assert client.get(f"/{kind}/{image.id}?v={shown['version']}").headers["cache-control"].endswith("immutable")
    os.utime(path, (1, 1))  # touched, and still the same
    assert client.get(f"/image/{image.id}").status_code == 200
    picture(path, shade=33)
    for kind in ("thumbnail", "image"):
        answer = client.get(f"/{kind}/{image.id}?v={shown['version']}")
        assert answer.status_code == 422
        assert "holds another picture than the one that was scored" in answer.text
    assert imaging.note_versions({image.id: read_now(image.path)}) == {image.id}
    client = Client(viewer_app(imaging, tmp_path / "thumbnails"))
    (now,) = client.get("/api/plate/P1").json()["drops"]
    assert now["version"] != shown["version"]
    assert (now["auto"], now["why_unscored"][:23]) == (None, "the picture has changed")
    assert client.get(f"/image/{image.id}?v={now['version']}").status_code == 200
    ledger = client.get(f"/api/drop/{image.id}").json()
    assert [entry["counts"] for entry in ledger["ledger"] if entry["by"] == "machine"] == [False]
    assert ledger["why_unscored"].startswith("the picture has changed")


def test_why_a_drop_has_no_score_yet_is_told(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    imaging.add_images([NewImage(key=WellKey(plate="P9", row=0, column=0), path=str(tmp_path / "a.jpg"))])
    now = datetime.now(UTC)
    imaging.postpone([Postponement(image_id=1, reason="its file is gone", tries=2, since=now, next_at=now)])
    (shown,) = client.get("/api/plate/P9").json()["drops"]
    assert (shown["auto"], shown["why_unscored"]) == (None, "its file is gone")
    assert client.get("/api/drop/1").json()["why_unscored"] == "its file is gone"


def test_a_share_that_hangs_stops_no_page(
    imaging: MemoryImaging, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_plate(imaging, tmp_path / "share", plate="HUNG")
    add_plate(imaging, tmp_path / "disk", plate="GOOD")
    back, look = threading.Event(), os.stat

    def hang(path: Any, *more: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(str(tmp_path / "share")):
            back.wait(20)
        return look(path, *more, **options)

    monkeypatch.setattr(os, "stat", hang)
    monkeypatch.setattr(api, "PATIENCE_S", 0.2, raising=False)
    started = time.monotonic()
    hung = client.get("/api/plate/HUNG").json()
    assert [each["version"] for each in hung["drops"]] == [""] * 6
    assert client.get("/api/plate/GOOD").status_code == 200
    assert client.get(f"/thumbnail/{hung['drops'][0]['id']}").status_code == 504
    assert time.monotonic() - started < 8
    back.set()


@pytest.mark.parametrize(("suffix", "media_type"), [("jpg", "image/jpeg"), ("png", "image/png"), ("tif", "image/jpeg")])
def test_images_come_in_a_format_that_browsers_show(
    imaging: MemoryImaging, client: Client, tmp_path: Path, suffix: str, media_type: str
) -> None:
    path = picture(tmp_path / f"well.{suffix}")
    imaging.add_images([NewImage(key=WellKey(plate="P1", row=0, column=0), path=str(path))])
    answer = client.get("/image/1")
    assert answer.headers["content-type"] == media_type
    assert Image.open(io.BytesIO(answer.content)).size == (320, 240)


@pytest.mark.parametrize("content", [None, b"", b"no image at all", b"\xff\xd8\xff\xe0 cut off"])
def test_a_file_that_is_no_image_is_an_error(
    imaging: MemoryImaging, client: Client, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "well.jpg"
    if content is not None:
        path.write_bytes(content)
    imaging.add_images([NewImage(key=WellKey(plate="P1", row=0, column=0), path=str(path))])
    answer = client.get("/thumbnail/1")
    assert answer.status_code == 422
    assert str(tmp_path) not in answer.text


def test_the_same_drop_is_found_at_every_inspection(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    add_plate(imaging, tmp_path, drops=(1, 3))
    add_plate(imaging, tmp_path, drops=(1, 3), inspection=2)
    add_plate(imaging, tmp_path, drops=(1, 3), inspection=2, channel="uv")
    image_id = imaging.drops("P1", inspection=1)[3].image.id
    siblings = client.get(f"/api/drop/{image_id}/siblings").json()["drops"]
    assert [(each["inspection"], each["channel"]) for each in siblings] == [(1, "visible"), (2, "visible"), (2, "uv")]
    assert {(each["well"], each["drop"]) for each in siblings} == {("A02", 3)}


def test_what_reaches_no_threshold_counts_as_unsure(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    drops = add_plate(imaging, tmp_path)
    sure = auto_score(drops[0].image.id, "clear")
    assert sure.found.score
    unsure = replace(sure.found, score=replace(sure.found.score, above_threshold=False))
    imaging.add_auto_scores([sure, replace(sure, image_id=drops[1].image.id, found=unsure)])
    assert client.get("/api/plate/P1/counts").json()["auto"] == {"clear": 1, "unsure": 1, "unscored": 4}


def test_counts_are_by_group(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    drops = add_plate(imaging, tmp_path)
    score_plate(imaging, drops, ["crystal_bad_form", "crystal_harvestable", "no_drop", "rim", ""])
    imaging.add_manual_score(hand_score(drops[0].image.id, "clear"))
    counts = client.get("/api/plate/P1/counts").json()
    auto = {"crystal": 2, "clear": 1, "no_drop": 1, "unscored": 2}
    assert counts == {"drops": 6, "auto": auto, "manual": 1, "triage": {}}


def test_the_table_has_a_row_for_every_image(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    drops = add_plate(imaging, tmp_path)
    add_plate(imaging, tmp_path, inspection=2)
    score_plate(imaging, drops, ["crystal_bad_form"])
    for person in ("Ada", "=HYPERLINK()"):
        imaging.add_manual_score(hand_score(drops[0].image.id, "clear", person=person))
    answer = client.get("/plate/P1/scores.csv")
    assert 'filename="scores-P1.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 12
    first = rows[0]
    assert (first["well"], first["row"], first["column"], first["drop"]) == ("A01", "1", "1", "1")
    assert (first["auto_outcome"], first["auto_score_number"], first["auto_p_crystal"]) == (
        "crystal_bad_form",
        "22",
        "0.97",
    )
    assert (first["manual_outcome"], first["manual_person"]) == ("clear", "'=HYPERLINK()")
    assert first["opinions"] == "'=HYPERLINK(): clear; Ada: clear"
    one = client.get("/plate/P1/scores.csv?inspection=2").text
    assert len(list(csv.DictReader(io.StringIO(one)))) == 6


def test_inspections_have_the_day_of_the_robots_clock(imaging: MemoryImaging, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    taken = [
        (1, datetime(2020, 4, 2, 3, 30, tzinfo=UTC), False),
        (1, datetime(2020, 4, 2, 5, 30, tzinfo=UTC), False),
        (2, datetime(2012, 11, 21, tzinfo=UTC), True),
        (3, None, False),
    ]
    for number, (inspection, at, day_only) in enumerate(taken):
        key = WellKey(plate="P1", row=0, column=number, inspection=inspection)
        imaging.add_images([NewImage(key=key, path=f"{path}{number}", imaged_at=at, day_only=day_only)])
    client = Client(viewer_app(imaging, tmp_path / "thumbnails", time_zone="America/New_York"))
    assert client.get("/api/plate/P1").json()["days"] == {"1": "2020-04-01", "2": "2012-11-21"}


@pytest.mark.parametrize("digits", [16, 20, 400])
@pytest.mark.parametrize("what", ["image", "thumbnail", "drop", "api/drop"])
def test_a_number_that_no_image_can_have_is_not_found(client: Client, what: str, digits: int) -> None:
    assert client.get(f"/{what}/{'9' * digits}").status_code == 404


def test_images_were_taken_when_the_robots_clock_said(imaging: MemoryImaging, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", shade=90)
    at = datetime(2020, 4, 1, 15, 36, tzinfo=UTC)
    for number, (day_only, taken) in enumerate(
        [(False, at), (True, datetime(2012, 11, 21, tzinfo=UTC)), (False, None)]
    ):
        key = WellKey(plate="P1", row=0, column=number)
        imaging.add_images([NewImage(key=key, path=f"{path}{number}", imaged_at=taken, day_only=day_only)])
    client = Client(viewer_app(imaging, tmp_path / "thumbnails", time_zone="America/New_York"))
    expected = ["2020-04-01T11:36:00-04:00", "2012-11-21", None]
    assert [each["imaged_at"] for each in client.get("/api/plate/P1").json()["drops"]] == expected
    assert [client.get(f"/api/drop/{number}").json()["imaged_at"] for number in (1, 2, 3)] == expected
    table = csv.DictReader(io.StringIO(client.get("/plate/P1/scores.csv").text))
    assert [row["imaged_at"] for row in table] == [each or "" for each in expected]


MARK = {"kind": "pick", "place": [10, 20], "person": "Ada"}


def test_marks_are_added_shown_and_taken_back(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    where = {"image_id": first.image.id}
    for mark in (MARK, MARK | {"kind": "dispense", "place": [0, 1, 2, 3]}, {"kind": "favourite", "person": "Ben"}):
        for _ in range(2):  # nobody says the same twice
            answer = client.post("/api/mark", json.dumps(mark | where).encode())
            assert answer.status_code == 201
    told = [(each["person"], each["kind"], each["place"]) for each in answer.json()["marks"]]
    assert told == [("Ada", "pick", [10, 20]), ("Ada", "dispense", [0, 1, 2, 3]), ("Ben", "favourite", None)]
    assert client.get("/api/plate/P1").json()["drops"][0]["marks"] == answer.json()["marks"]
    of_ada, *_ = answer.json()["marks"]
    for person, status in (("Ben", 409), ("Ada", 201), ("Ada", 409)):
        asked = {"mark_id": of_ada["id"], "person": person}
        answer = client.post("/api/take-back", json.dumps(asked | where).encode())
        assert answer.status_code == status
    left = client.get(f"/api/drop/{first.image.id}").json()["marks"]
    assert [each["kind"] for each in left] == ["dispense", "favourite"]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "harvest"},
        {"kind": "favourite"},
        {"place": None},
        {"place": [10]},
        {"place": [10, 20, 30]},
        {"place": [10, -1]},
        {"place": [10, 1.5]},
        {"place": [True, 1]},
        {"place": [10, 20, 10, 30]},
        {"place": [10, 20, 30, 20]},
        {"place": [10, 10**6]},
        {"place": "10, 20"},
        {"person": ""},
        {"more": 1},
    ],
)
def test_what_is_no_mark_is_refused(
    imaging: MemoryImaging, client: Client, tmp_path: Path, change: dict[str, Any]
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    asked = {"image_id": first.image.id} | MARK | change
    assert client.post("/api/mark", json.dumps(asked).encode()).status_code == 400
    assert imaging.marks([first.image.id]) == []


def test_a_comment_is_taken_back_by_its_person(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    where = {"image_id": first.image.id, "person": "Ada"}
    written = client.post("/api/comment", json.dumps(where | {"text": "tiny"}).encode()).json()["comments"][0]
    for person, status in (("Ben", 409), ("Ada", 201), ("Ada", 409)):
        asked = where | {"comment_id": written["id"], "person": person}
        assert client.post("/api/take-back", json.dumps(asked).encode()).status_code == status
    (comment,) = client.get(f"/api/drop/{first.image.id}").json()["comments"]
    assert comment["taken_back_at"] is not None
    assert client.get("/api/plate/P1").json()["drops"][0]["comments"] == []


def test_what_is_taken_back_is_of_the_image_that_is_named(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    first, second, *_ = add_plate(imaging, tmp_path)
    of = {"image_id": first.image.id, "person": "Ada"}
    client.post("/api/score", json.dumps(of | {"outcome": "clear", "comment": ""}).encode())
    client.post("/api/comment", json.dumps(of | {"text": "tiny"}).encode())
    told = client.post("/api/mark", json.dumps(MARK | of).encode()).json()
    ids = {f"{what}_id": told[part][0]["id"] for what, part in (("mark", "marks"), ("comment", "comments"))}
    for name, number in (ids | {"score_id": told["ledger"][0]["id"]}).items():
        other = {name: number, "person": "Ada", "image_id": second.image.id}
        assert client.post("/api/take-back", json.dumps(other).encode()).status_code == 409
        assert client.post("/api/take-back", json.dumps(other | of).encode()).status_code == 201


def test_only_one_thing_is_taken_back_at_a_time(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    asked = {"image_id": first.image.id, "person": "Ada", "score_id": 1, "mark_id": 1}
    assert client.post("/api/take-back", json.dumps(asked).encode()).status_code == 400


def test_a_plate_that_waits_tells_when_it_will_be_done(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    drops = add_plate(imaging, tmp_path, rows=6, columns=10)
    now = datetime.now(UTC)
    scores = [auto_score(drop.image.id, "clear") for drop in drops[:30]]
    imaging.add_auto_scores(
        replace(score, scored_at=now - timedelta(seconds=60 * (30 - number))) for number, score in enumerate(scores)
    )
    (line,) = client.get("/api/plates").json()["plates"]
    done = datetime.fromisoformat(line["done_at"])
    assert timedelta(minutes=29) < done - now < timedelta(minutes=40)
    imaging.add_auto_scores([auto_score(drop.image.id, "clear") for drop in drops[30:]])
    (done_line,) = Client(viewer_app(imaging, tmp_path / "thumbnails")).get("/api/plates").json()["plates"]
    assert done_line["done_at"] is None


def test_no_time_is_told_while_nothing_is_scored(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    drops = add_plate(imaging, tmp_path, rows=6, columns=10)
    imaging.add_auto_scores(
        [auto_score(drop.image.id, "clear", minute=number) for number, drop in enumerate(drops[:30])]
    )
    assert client.get("/api/plates").json()["plates"][0]["done_at"] is None


def test_what_many_ask_of_a_plate_at_once_is_made_once(
    imaging: MemoryImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIVE_SECONDS", 60)
    made, board_value = [], api.board_value

    def counted(viewer: Viewer, board: Board, recipe: str) -> Record:
        made.append(board)
        return board_value(viewer, board, recipe)

    monkeypatch.setattr(api, "board_value", counted)
    images = [add_plate(imaging, tmp_path, plate=plate)[0].image for plate in ("P1", "P2")]
    client = Client(viewer_app(imaging, tmp_path / "thumbnails"))
    answers = [client.get(f"/api/plate/{plate}") for plate in ("P1", "P1", "P2", "P1", "P2")]
    assert [each[0] for each in made] == ["P1", "P2"]
    assert answers[0].content == answers[1].content == answers[3].content
    assert client.get("/api/plate/P1", if_none_match=answers[0].headers["etag"]).status_code == 304
    assert client.get("/api/plate/P1?recipe=0123456789ab").json()["recipe"] == "0123456789ab"
    body = {"image_id": images[1].id, "outcome": "clear", "person": "Ada"}
    assert client.post("/api/score", json.dumps(body).encode()).status_code == 201
    shown = [client.get(f"/api/plate/{plate}").json()["drops"][0]["people"] for plate in ("P1", "P2")]
    assert [len(each) for each in shown] == [0, 1]
    assert [each[0] for each in made] == ["P1", "P2", "P1", "P2"]  # the third is by a recipe


def test_what_is_as_it_was_is_not_read_again_and_what_others_write_is(
    imaging: MemoryImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIVE_SECONDS", 0)
    read, drops_of = [], imaging.drops

    def counted(plate: str, **options: Any) -> list[DropScores]:
        read.append(plate)
        return drops_of(plate, **options)

    image = add_plate(imaging, tmp_path)[0].image
    monkeypatch.setattr(imaging, "state_of_drops", lambda _, **where: drops_of("P1", **where))
    monkeypatch.setattr(imaging, "images_added_to", lambda _, **where: None)
    monkeypatch.setattr(imaging, "drops", counted)
    client = Client(viewer_app(imaging, tmp_path / "thumbnails"))
    address = "/api/plate/P1"
    first = client.get(address)
    assert client.get(address, if_none_match=first.headers["etag"]).status_code == 304
    assert read == ["P1"]
    imaging.add_auto_scores([auto_score(image.id, "clear")])
    scored = client.get(address, if_none_match=first.headers["etag"])
    assert scored.json()["drops"][0]["auto"]["outcome"] == "clear"
    imaging.add_comment(Comment(image_id=image.id, person="Ada", written_at=datetime.now(UTC), text="look"))
    said = client.get(address, if_none_match=scored.headers["etag"])
    assert [each["text"] for each in said.json()["drops"][0]["comments"]] == ["look"]
    assert client.get(address, if_none_match=said.headers["etag"]).status_code == 304
    assert read == ["P1"] * 3
