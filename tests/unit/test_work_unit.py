import errno
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from crystal_search.errors import WorkUnitError
from crystal_search.work_unit import (
    MANIFEST,
    Parameters,
    image_bytes,
    image_sizes,
    manifest_from_json,
    manifest_to_json,
    read_work_unit,
    write_work_unit,
)
from tests.unit.builders import GOLDEN, MODELS, jpeg, packed


def test_what_is_written_is_read(tmp_path: Path) -> None:
    unit = packed(tmp_path / "u.zip", images=3)
    assert read_work_unit(tmp_path / "u.zip") == unit
    assert image_bytes(tmp_path / "u.zip", unit.images[1]) == jpeg(101)
    assert [path.name for path in tmp_path.iterdir()] == ["u.zip"]


def test_what_does_not_fit_on_a_disk_leaves_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = zipfile.ZipFile.writestr

    def full(self: zipfile.ZipFile, member: zipfile.ZipInfo, data: bytes) -> None:
        if member.filename != MANIFEST:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(self, member, data)

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="No space left"):
        packed(tmp_path / "u.zip")
    assert list(tmp_path.iterdir()) == []


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    packed(tmp_path / "one.zip")
    packed(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_golden_work_unit_is_still_written_and_read(tmp_path: Path) -> None:
    unit = packed(tmp_path / "u.zip")
    assert manifest_to_json(unit) == (GOLDEN / "work-unit-2.manifest.json").read_text()
    assert (tmp_path / "u.zip").read_bytes() == (GOLDEN / "work-unit-2.zip").read_bytes()
    assert read_work_unit(GOLDEN / "work-unit-2.zip") == unit


def test_a_work_unit_of_version_1_is_read_as_well(tmp_path: Path) -> None:
    found = read_work_unit(GOLDEN / "work-unit-1.zip")
    assert found == packed(tmp_path / "u.zip")
    assert image_bytes(GOLDEN / "work-unit-1.zip", found.images[1]) == jpeg(101)


@pytest.mark.parametrize(
    ("models", "trouble"),
    [
        ([], "models must be one model for each role, of classifier and drop at least"),
        (
            [{"role": "oracle", "name": "", "sha256": "a" * 64}],
            "one of classifier, first_look, drop, image, crystals, readout, got 'oracle'",
        ),
        ([{"role": "drop", "name": "", "sha256": "a" * 64}] * 2, "models must be one model for each role"),
        ([{"role": "drop", "name": "", "sha256": "a"}], "sha256 must be like"),
    ],
)
def test_models_that_cannot_score_are_refused(models: list[dict[str, str]], trouble: str, tmp_path: Path) -> None:
    content = json.loads(manifest_to_json(packed(tmp_path / "u.zip"))) | {"models": models}
    with pytest.raises(WorkUnitError, match=trouble):
        manifest_from_json(json.dumps(content).encode())


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", "x" * 101, "a\n"])
def test_a_name_that_could_be_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkUnitError, match="name"):
        packed(tmp_path / "u.zip", name=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("images", [[], [("1", ".jpg", b"x"), ("1", ".jpg", b"y")], [("1", ".exe", b"x")]])
def test_images_that_cannot_be_packed_are_refused(tmp_path: Path, images: list[tuple[str, str, bytes]]) -> None:
    with pytest.raises(WorkUnitError):
        write_work_unit(tmp_path / "u.zip", name="u", models=MODELS, parameters=Parameters(), images=images)


def rebuilt(source: Path, target: Path, change: Callable[[dict[str, bytes]], Any], *, compress: bool = False) -> Path:
    """Write a copy of a zip file with its members changed."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target


HOSTILE: dict[str, Callable[[dict[str, bytes]], Any]] = {
    "no manifest": lambda members: members.pop(MANIFEST),
    "an image is missing": lambda members: members.pop("images/0000.jpg"),
    "an extra image": lambda members: members.update({"images/0009.jpg": b"x"}),
    "a path upwards": lambda members: members.update({"../../etc/passwd": b"x"}),
    "an absolute path": lambda members: members.update({"/etc/passwd": b"x"}),
    "another size": lambda members: members.update({"images/0000.jpg": b"x"}),
    "manifest is no JSON": lambda members: members.update({MANIFEST: b"{"}),
    "manifest is a list": lambda members: members.update({MANIFEST: b"[]"}),
    "manifest is nested deep": lambda members: members.update({MANIFEST: b"[" * 200_000}),
    "manifest with NaN": lambda members: members.update({MANIFEST: members[MANIFEST].replace(b"0.85", b"NaN")}),
    "manifest with infinity": lambda members: members.update({MANIFEST: members[MANIFEST].replace(b"0.85", b"1e999")}),
    "manifest with a huge number": lambda members: members.update(
        {MANIFEST: members[MANIFEST].replace(b"0.85", b"9" * 5000)}
    ),
    "another version": lambda members: members.update(
        {MANIFEST: members[MANIFEST].replace(b'"version": 2', b'"version": 3')}
    ),
    "an unknown key": lambda members: members.update(
        {MANIFEST: members[MANIFEST].replace(b'"version": 2', b'"version": 2, "run": "rm"')}
    ),
    "a key twice": lambda members: members.update(
        {MANIFEST: members[MANIFEST].replace(b'"version": 2', b'"version": 2, "version": 2')}
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_work_unit_is_refused(tmp_path: Path, kind: str) -> None:
    packed(tmp_path / "good.zip")
    with pytest.raises(WorkUnitError):
        read_work_unit(rebuilt(tmp_path / "good.zip", tmp_path / "bad.zip", HOSTILE[kind]))


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    packed(tmp_path / "good.zip")
    bomb = rebuilt(
        tmp_path / "good.zip",
        tmp_path / "bad.zip",
        lambda m: m.update({"images/0000.jpg": bytes(10**7)}),
        compress=True,
    )
    with pytest.raises(WorkUnitError, match="compressed"):
        read_work_unit(bomb)


def test_an_image_with_another_hash_is_refused(tmp_path: Path) -> None:
    unit = packed(tmp_path / "good.zip")
    swap = rebuilt(
        tmp_path / "good.zip",
        tmp_path / "bad.zip",
        lambda m: m.update({"images/0000.jpg": bytes(len(m["images/0000.jpg"]))}),
    )
    assert read_work_unit(swap) == unit
    with pytest.raises(WorkUnitError, match="sha256"):
        image_bytes(swap, unit.images[0])


def test_a_missing_file_is_an_error_of_the_same_kind(tmp_path: Path) -> None:
    with pytest.raises(WorkUnitError, match="no such file"):
        read_work_unit(tmp_path / "none.zip")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(data=st.data())
def test_a_truncated_or_damaged_file_is_refused_or_reads_the_same(tmp_path: Path, data: st.DataObject) -> None:
    unit = packed(tmp_path / "good.zip", images=1)
    whole = bytearray((tmp_path / "good.zip").read_bytes())
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "bad.zip").write_bytes(bytes(whole))
    try:
        found = read_work_unit(tmp_path / "bad.zip")
        content = image_bytes(tmp_path / "bad.zip", found.images[0])
    except WorkUnitError:
        return
    assert found == unit or manifest_from_json(manifest_to_json(found).encode()) == found
    assert content == jpeg(100)


def test_killed_while_writing_leaves_no_work_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crystal_search.files.os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        packed(tmp_path / "u.zip")
    assert not (tmp_path / "u.zip").exists()
    monkeypatch.undo()
    packed(tmp_path / "u.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["u.zip"]


def test_every_manifest_field_is_documented() -> None:
    page = (GOLDEN.parent.parent / "docs" / "work-unit.md").read_text()
    manifest = json.loads((GOLDEN / "work-unit-2.manifest.json").read_text())
    fields = {*manifest, *manifest["parameters"], *manifest["images"][0], *manifest["models"][0]}
    assert not [field for field in sorted(fields) if f"`{field}`" not in page]


def test_the_size_of_a_picture_is_found_wherever_its_header_ends(tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 255, (120, 200), dtype=np.uint8)
    pictures: list[tuple[str, bytes]] = []
    for comment_bytes in (0, 6_000, 60_000):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", comment=b"x" * comment_bytes)
        pictures.append((".jpg", file.getvalue()))
    file = io.BytesIO()
    Image.fromarray(np.tile(pixels, (8, 8))).save(file, "TIFF")  # its header comes last
    pictures.append((".tif", file.getvalue()))
    images = [(str(number), suffix, data) for number, (suffix, data) in enumerate(pictures)]
    path = tmp_path / "unit.zip"
    unit = write_work_unit(path, name="u", models=MODELS, parameters=Parameters(), images=images)
    assert image_sizes(path, unit) == {"0": (120, 200), "1": (120, 200), "2": (120, 200), "3": (960, 1600)}
