import io
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.routing import Route

from crystal_search.errors import ConfigError, DatabaseError, ImageError
from crystal_search.outcomes import OUTCOMES
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.frame_colours import read_frames
from crystal_search.viewer.guard import host_name, own_names
from crystal_search.viewer.hand_scores import ScoreRequestError, read_score
from crystal_search.viewer.json_records import BY_HAND, ink_on, luminance, outcome_table
from crystal_search.viewer.made_once import made_once
from crystal_search.viewer.recent import AGAIN_SECONDS, Recent
from crystal_search.viewer.thumbnails import THUMBNAIL_WIDTH_PX, Thumbnails, small_jpeg
from crystal_search.viewer.versions import MISSING, Versions
from crystal_search.wells import WellKey
from tests.described_answers import request_validator
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import picture


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_letter_reads_well_on_its_frame() -> None:
    assert all(contrast(each["frame"], ink_on(each["frame"])) >= 4.5 for each in outcome_table())


def test_no_letter_means_two_things() -> None:
    letters = [each["letter"] for each in outcome_table()]
    assert len(set(letters)) == len(letters)


def test_a_rim_is_never_scored_by_hand() -> None:
    assert set(BY_HAND) == {outcome.name for outcome in OUTCOMES} - {"rim"} | {"no_drop"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 200_000,
        b'{"image_id": 1, "outcome": "clear"}',
        b'{"image_id": 1, "outcome": "clear", "person": "Ada", "path": "/etc/passwd"}',
        b'{"image_id": "1", "outcome": "clear", "person": "Ada"}',
        b'{"image_id": true, "outcome": "clear", "person": "Ada"}',
        b'{"image_id": 0, "outcome": "clear", "person": "Ada"}',
        b'{"image_id": 1e99, "outcome": "clear", "person": "Ada"}',
        b'{"image_id": 99999999999999999999999, "outcome": "clear", "person": "Ada"}',
        b'{"image_id": 1, "outcome": "rim", "person": "Ada"}',
        b'{"image_id": 1, "outcome": "unreadable", "person": "Ada"}',
        b'{"image_id": 1, "outcome": ["clear"], "person": "Ada"}',
        b'{"image_id": 1, "outcome": "clear", "person": " "}',
        b'{"image_id": 1, "outcome": "clear", "person": 7}',
        b'{"image_id": 1, "outcome": "clear", "person": "A\\nB"}',
        b'{"image_id": 1, "outcome": "clear", "person": "' + b"a" * 101 + b'"}',
        b'{"image_id": 1, "outcome": "clear", "person": "Ada", "comment": null}',
    ],
)
def test_what_is_no_score_is_refused(body: bytes) -> None:
    with pytest.raises(ScoreRequestError):
        read_score(body)


@given(person=st.text(max_size=102), comment=st.text(max_size=20), image_id=st.integers(-1, 3) | st.floats(-1, 3))
def test_a_score_is_taken_where_its_description_allows_it(person: str, comment: str, image_id: float) -> None:
    told = {"image_id": image_id, "outcome": "clear", "person": person, "comment": comment}
    body = json.dumps(told).encode()
    try:
        request_validator("/api/score").validate(told)
    except jsonschema_rs.ValidationError:
        with pytest.raises(ScoreRequestError):
            read_score(body)
    else:
        score = read_score(body)
        assert (score.image_id, score.person, score.comment) == (image_id, person.strip(), comment.strip())


@pytest.mark.parametrize("person", ["\ud800", "Ada\u202e", "A\u200bda", "\ufeffAda", "\u00a0"])
def test_a_name_that_looks_like_another_is_refused(person: str) -> None:
    with pytest.raises(ScoreRequestError, match="printable"):
        read_score(json.dumps({"image_id": 1, "outcome": "clear", "person": person}).encode())


@pytest.mark.parametrize(("header", "name"), [("[::1]", "::1"), ("a.b:80", "a.b"), ("", ""), ("[broken", "broken")])
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


def test_own_names_follow_the_address() -> None:
    assert "beamline.example" in own_names("Beamline.example")
    assert own_names("127.0.0.1") == {"localhost", "127.0.0.1", "::1"}


def test_recent_reads_again_only_after_its_time() -> None:
    now, read = [0.0], []

    def load(key: str) -> int:
        read.append(key)
        return len(read)

    recent = Recent(load, seconds=1, limit=2, clock=lambda: now[0])
    assert [recent.get("a"), recent.get("a")] == [1, 1]
    now[0] = 1.5
    assert recent.get("a") == 2
    recent.forget()
    assert [recent.get(key) for key in "abca"] == [3, 4, 5, 6]


def test_what_is_about_something_else_is_not_forgotten() -> None:
    numbers = count(1)
    recent: Recent[str, int] = Recent(lambda _: next(numbers), seconds=60)
    assert [recent.get(key) for key in ("a1", "a2", "b1")] == [1, 2, 3]
    recent.forget(lambda key: key.startswith("a"))
    assert [recent.get(key) for key in ("b1", "a1", "a2")] == [3, 4, 5]


def test_what_has_the_same_state_is_not_read_again() -> None:
    now, state, numbers = [0.0], ["first"], count(1)
    recent: Recent[str, int] = Recent(
        lambda _: next(numbers), seconds=1, state=lambda _: state[0], clock=lambda: now[0]
    )
    assert recent.get("a") == 1
    now[0] = 5
    assert recent.get("a") == 1
    state[0] = "second"
    assert recent.get("a") == 1  # it was looked at just now
    recent.forget()
    assert recent.get("a") == 2
    recent.forget()
    assert recent.get("a") == 2
    now[0] = 1000
    assert recent.get("a") == 3  # after long it is read again whatever its state


def test_what_changes_while_it_is_read_is_read_again() -> None:
    state, loads = [0], []

    def load(_: str) -> int:
        loads.append(state[0])
        state[0] += len(loads) == 1  # somebody writes after it was read
        return loads[-1]

    recent: Recent[str, int] = Recent(load, seconds=0, state=lambda _: state[0])
    assert [recent.get("a"), recent.get("a"), recent.get("a")] == [0, 1, 1]
    assert loads == [0, 1]


def test_a_value_of_another_state_is_renewed_where_that_is_possible_and_loaded_anew_after_long() -> None:
    now, state = [0.0], [1]
    renewed: list[tuple[str, list[int], object]] = []

    def renew(key: str, value: list[int], before: object) -> list[int]:
        renewed.append((key, value, before))
        return [*value, state[0]]

    recent: Recent[str, list[int]] = Recent(
        lambda _: [state[0]], seconds=1, state=lambda _: state[0], renew=renew, clock=lambda: now[0]
    )
    assert recent.get("a") == [1]
    now[0], state[0] = 2, 2
    assert recent.get("a") == [1, 2]
    now[0] = 4
    assert recent.get("a") == [1, 2]
    assert renewed == [("a", [1], 1)]
    now[0], state[0] = AGAIN_SECONDS + 1, 3
    assert recent.get("a") == [3]  # whatever was renewed meanwhile


def test_what_is_made_of_the_same_object_is_made_once() -> None:
    made: list[object] = []

    @made_once(limit=2)
    def shown(of: list[int]) -> int:
        made.append(of)
        return len(made)

    first, equal = [1, 2], [1, 2]
    assert [shown(first), shown(equal), shown(first), shown(equal)] == [1, 2, 1, 2]
    shown([3])
    assert shown(first) == 4  # it was the one that was asked about longest ago


def test_a_state_that_cannot_be_asked_is_told_to_all_who_wait() -> None:
    answers: Iterator[int | DatabaseError] = iter([1, DatabaseError("gone"), 1])

    def state(_: str) -> int:
        answer = next(answers)
        if isinstance(answer, DatabaseError):
            raise answer
        return answer

    numbers = count(1)
    recent: Recent[str, int] = Recent(lambda _: next(numbers), seconds=0, state=state)
    assert recent.get("a") == 1
    with pytest.raises(DatabaseError, match="gone"):
        recent.get("a")
    assert recent.get("a") == 1


def test_who_asks_for_one_key_does_not_wait_for_another() -> None:
    going, answered, loads = threading.Event(), threading.Event(), []

    def load(key: str) -> str:
        loads.append(key)
        if key == "slow":
            going.set()
            answered.wait(10)
        return key.upper()

    recent = Recent(load, seconds=60)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(recent.get, "slow")
        assert going.wait(10)
        second = threads.submit(recent.get, "slow")
        assert threads.submit(recent.get, "quick").result(5) == "QUICK"
        answered.set()
        assert (first.result(5), second.result(5)) == ("SLOW", "SLOW")
    assert loads == ["slow", "quick"]


def test_what_was_being_loaded_when_everything_was_forgotten_is_not_kept() -> None:
    recent: Recent[str, int] = Recent(lambda _: load(), seconds=60)
    loads: list[int] = []

    def load() -> int:
        loads.append(len(loads))
        if len(loads) == 1:
            recent.forget()
        return loads[-1]

    assert [recent.get("a"), recent.get("a"), recent.get("a")] == [0, 1, 1]


def test_a_failure_to_load_is_told_to_all_who_wait_and_not_kept() -> None:
    answers: Iterator[int | DatabaseError] = iter([DatabaseError("gone"), 7])

    def load(_: str) -> int:
        answer = next(answers)
        if isinstance(answer, DatabaseError):
            raise answer
        return answer

    recent = Recent(load, seconds=60)
    with pytest.raises(DatabaseError, match="gone"):
        recent.get("a")
    assert recent.get("a") == 7


def test_while_a_share_hangs_its_files_are_as_last_seen() -> None:
    hanging, answering = threading.Event(), threading.Event()
    answering.set()

    looked: list[str] = []

    def look(path: str) -> str:
        looked.append(path)
        if hanging.is_set() and path.startswith("/share/"):
            answering.wait(10)
        return f"{path} {hanging.is_set()}"

    versions = Versions(look, patience_s=0.05, kept_s=0)
    assert versions.get("/share/a") == "/share/a False"
    answering.clear()
    hanging.set()
    assert [versions.get("/share/a") for _ in range(500)] == ["/share/a False"] * 500
    assert versions.get("/share/b") == MISSING
    assert looked.count("/share/a") < 50
    answering.set()
    while versions.get("/share/b") == MISSING:
        time.sleep(0.01)
    assert versions.get("/share/a") == "/share/a True"
    versions.close()


def test_files_of_a_plate_are_looked_at_together_and_remembered() -> None:
    looked: list[tuple[str, int]] = []

    def look(path: str) -> str:
        looked.append((path, threading.get_ident()))
        return path.upper()

    versions = Versions(look)
    paths = [f"/share/{number}" for number in range(50)]
    assert versions.get("/share/7") == "/SHARE/7"
    assert versions.get_all(paths) == [path.upper() for path in paths]
    assert versions.get_all(paths[::-1])[0] == "/SHARE/49"
    assert [path for path, _ in looked] == ["/share/7", *(path for path in paths if path != "/share/7")]
    assert len({thread for _, thread in looked[1:]}) == 1
    versions.close()


def test_a_share_that_hangs_amid_the_files_of_a_plate_holds_nobody_for_long() -> None:
    answering = threading.Event()

    def look(path: str) -> str:
        return path if path != "c" or answering.wait(10) else MISSING

    versions = Versions(look, patience_s=0.05)
    assert versions.get_all("abcd") == ["a", "b", MISSING, MISSING]
    answering.set()
    versions.close()


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_thumbnails_are_made_in_several_threads_at_once(tmp_path: Path, suffix: str) -> None:
    images = [stored(picture(tmp_path / f"{at}.{suffix}", shade=9 * at, size=(700, 525)), at) for at in range(1, 25)]
    thumbnails = Thumbnails(tmp_path / "kept")
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(thumbnails.thumbnail, images))
    paths = [each.content for each in made if isinstance(each.content, Path)]
    greys = [int(np.asarray(Image.open(path).convert("L"))[2, 2]) for path in paths]
    assert all(abs(grey - 9 * at) <= 2 for at, grey in enumerate(greys, start=1))


def test_frame_colours_are_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "frames.toml"
    assert read_frames(path) == {}
    path.write_text('[groups]\nother = "#00FF00"\n[outcomes]\nother = "#010203"\nno_drop = "#ffffff"\n')
    frames = read_frames(path)
    green = dict.fromkeys(("null_experiment", "spherulites", "phase_separation"), "#00ff00")
    assert frames == green | {"other": "#010203", "no_drop": "#ffffff"}
    table = {each["name"]: each for each in outcome_table(frames)}
    assert [table["other"][key] for key in ("frame", "ink")] == ["#010203", "#ffffff"]
    assert [table["spherulites"][key] for key in ("frame", "ink")] == ["#00ff00", "#000000"]
    assert table["clear"] in outcome_table()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("crystal =", "frames.toml"),
        ('[frames]\nclear = "#000000"', "choose from groups, outcomes"),
        ('groups = "#000000"', "must be a table"),
        ('[groups]\ncrystals = "#000000"', "crystals; choose from crystal, precipitate, other, clear"),
        ('[outcomes]\ncrystal = "#000000"', "choose from crystal_harvestable, .* unscored"),
        ('[groups]\ncrystal = "green"', "crystal must be a colour like"),
        ('[groups]\ncrystal = "#00000}"', "must be a colour"),
        ("[groups]\ncrystal = 7", "must be a colour"),
        ('[groups]\ncrystal = "#000000\\n"', "must be a colour"),
    ],
)
def test_a_frame_colour_that_cannot_be_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "frames.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_frames(path)


def stored(path: Path, number: int = 1) -> StoredImage:
    return StoredImage(id=number, key=WellKey(plate="P", row=0, column=0), path=str(path), imaged_at=None)


def test_a_thumbnail_is_made_once_and_again_when_the_file_changes(tmp_path: Path) -> None:
    image, thumbnails = stored(picture(tmp_path / "well.png", size=(1200, 900))), Thumbnails(tmp_path / "kept")
    first = thumbnails.thumbnail(image).content
    assert isinstance(first, Path)
    made = first.stat().st_mtime_ns
    assert thumbnails.thumbnail(image).content == first
    assert first.stat().st_mtime_ns == made
    with Image.open(first) as small:
        assert small.size == (THUMBNAIL_WIDTH_PX, 240)
    os.utime(image.path, ns=(1, 1))
    second = thumbnails.thumbnail(image).content
    assert isinstance(second, Path)
    assert second != first
    assert [path.name for path in second.parent.iterdir()] == [second.name]


def test_images_with_one_number_in_two_databases_are_not_mixed_up(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "kept")
    one, other = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    for path in (one, other):
        os.utime(path, ns=(1, 1))
    assert thumbnails.thumbnail(stored(one)).content != thumbnails.thumbnail(stored(other)).content


def test_a_pipe_in_place_of_a_file_holds_up_no_page(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "well.jpg")
    thumbnails = Thumbnails(tmp_path / "kept")
    for show in (thumbnails.thumbnail, thumbnails.full):
        with pytest.raises(ImageError):
            show(stored(tmp_path / "well.jpg"))


@pytest.mark.parametrize("folder", ["a file", "gone/thumbnails"])
def test_pictures_that_cannot_be_kept_are_shown_all_the_same(
    tmp_path: Path, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").touch()
    thumbnails = Thumbnails(tmp_path / folder)
    for name in ("a.png", "b.png"):
        shown = thumbnails.thumbnail(stored(picture(tmp_path / name)))
        assert isinstance(shown.content, bytes)
        with Image.open(io.BytesIO(shown.content)) as small:
            assert small.size == (320, 240)
    assert caplog.text.count("pictures cannot be kept in") == 1
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_grey_png_is_shown_whatever_its_depth(tmp_path: Path, depth: Any) -> None:
    path = tmp_path / "well.png"
    Image.fromarray(np.full((200, 300), 2**11, dtype=np.uint16).astype(depth)).save(path)
    shown = Thumbnails(tmp_path / "kept").full(stored(path))
    assert shown.media_type == ("image/png" if depth is np.uint8 else "image/jpeg")


def test_a_small_image_is_not_enlarged() -> None:
    text = io.BytesIO()
    Image.new("RGB", (200, 150)).save(text, "PNG")
    assert Image.open(io.BytesIO(small_jpeg(text.getvalue()))).size == (200, 150)


def test_a_path_that_cannot_be_is_an_image_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="image 1 cannot be read"):
        Thumbnails(tmp_path).thumbnail(stored(Path("nul\0byte")))


def test_the_documented_frame_colours_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "frames.toml"
    path.write_text(DOCS.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0])
    assert read_frames(path)["crystal_bad_form"] == "#2ca02c"


DOCS = Path(__file__).parents[2] / "docs" / "viewer.md"


def test_every_address_is_documented(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    app = viewer_app(MemoryImaging(), tmp_path)
    paths = [re.sub(r":\w+", "", route.path) for route in app.routes if isinstance(route, Route)]
    assert [path for path in paths if f" {path}` |" not in text] == []


def test_every_outcome_is_documented_with_its_letter() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for each in outcome_table():
        assert f"| {each['letter']} |" in text
        assert f"| {each['label']}" in text
