"""MARCO's files: classes by text or number, splits and drops by names, what is damaged or unknown."""

from pathlib import Path

import pytest

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.errors import UserError
from tests.tfrecord_writer import example, framed


def packed(identifier: int = 1, **changes: int | bytes) -> bytes:
    """Pack one record as the published files have it."""
    features: dict[str, int | bytes | float] = {
        "image/height": 1024,
        "image/width": 1224,
        "image/colorspace": b"RGB",
        "image/channels": 3,
        "image/class/label": 1,
        "image/class/raw": 12,
        "image/class/source": 101,
        "image/class/text": b"Crystals",
        "image/format": b"JPEG",
        "image/filename": b"03c3_G6_ImagerDefaults_6.jpg",
        "image/id": identifier,
        "image/encoded": b"JPEG bytes",
    }
    named = {name.replace("__", "/"): value for name, value in changes.items()}
    return framed(example({name: value for name, value in (features | named).items() if value != b"absent"}))


def read(path: Path, **options: str) -> tuple[list[ArchiveImage], list[LeftOut]]:
    both = list(open_archive("marco", path, ArchiveOptions(**options)).images())  # type: ignore[arg-type]
    return [each for each in both if isinstance(each, ArchiveImage)], [e for e in both if isinstance(e, LeftOut)]


def test_a_published_record_becomes_an_image(tmp_path: Path) -> None:
    (tmp_path / "train-00001-of-00001").write_bytes(packed(123))
    ((image,), left_out) = read(tmp_path)
    assert (image.name, image.content) == ("123 03c3_G6_ImagerDefaults_6.jpg", b"JPEG bytes")
    assert (image.outcome, image.split) == ("crystal_harvestable", "train")
    assert (image.plate, image.well, image.is_chop) == ("03c3", "03c3 G06.1", False)
    assert left_out == []


@pytest.mark.parametrize(
    ("text", "label", "outcome"),
    [
        (b"Clear", 0, "clear"),
        (b"Crystals", 1, "crystal_harvestable"),
        (b"Other", 2, "other"),
        (b"Precipitate", 3, "precipitate"),
        (b"absent", 0, "clear"),
        (b"absent", 1, "crystal_harvestable"),
        (b"", 2, "other"),
        (b"absent", 3, "precipitate"),
        (b"Other", 3, "other"),
    ],
)
def test_the_text_of_a_class_comes_before_its_number(tmp_path: Path, text: bytes, label: int, outcome: str) -> None:
    (tmp_path / "x.tfrecord").write_bytes(packed(image__class__text=text, image__class__label=label))
    ((image,), _) = read(tmp_path)
    assert image.outcome == outcome


@pytest.mark.parametrize(
    ("shard", "split"),
    [("train-00007-of-00407", "train"), ("test-00001-of-00046", "test"), ("marcoTrainData00001.tfrecords", "train")],
)
def test_splits_come_from_the_names_of_files(tmp_path: Path, shard: str, split: str) -> None:
    (tmp_path / "jpg").mkdir()
    (tmp_path / "jpg" / shard).write_bytes(packed())
    ((image,), _) = read(tmp_path)
    assert image.split == split


@pytest.mark.parametrize(
    ("file", "plate", "well"),
    [
        (b"002s_C6_ImagerDefaults_9.jpg", "002s", "002s C06.1"),
        (b"X0000056450155200509052032.png", "X000005645", "X000005645 D11.1"),
        (b"X0000056450155200601010101.png", "X000005645", "X000005645 D11.1"),
        (b"a\\b\\whatever.jpg", "", "whatever"),
        (b"absent", "", "5"),
    ],
)
def test_drops_come_from_the_names_that_the_sources_gave(tmp_path: Path, file: bytes, plate: str, well: str) -> None:
    path = tmp_path / "train-00001-of-00001"
    path.write_bytes(packed(5, image__filename=file))
    ((image,), _) = read(path)
    assert (image.plate, image.well) == (plate, well)


def test_what_is_packed_again_or_holds_no_image_is_left_out(tmp_path: Path) -> None:
    shard = tmp_path / "test-00001-of-00002"
    shard.write_bytes(packed(1) + packed(1) + packed(2, image__encoded=b"absent"))
    images, left_out = read(tmp_path)
    assert [each.name for each in images] == ["1 03c3_G6_ImagerDefaults_6.jpg"]
    assert [(each.reason, each.detail) for each in left_out] == [
        ("some files of a series are missing", "1 are here"),
        ("packed again", shard.name),
        ("a record without an image", shard.name),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image__class__text": b"Diamonds"}, r"train-00001-of-00001, record 0: no class 'Diamonds'.*crystal, precip"),
        (
            {"image__class__text": b"absent", "image__class__label": 4},
            r"no class has the number 4; MARCO's are 0 Clear",
        ),
        ({"image__class__text": b"absent", "image__class__label": b"absent"}, r"without image/class/text and"),
    ],
)
def test_an_unknown_class_is_refused_in_words(tmp_path: Path, changes: dict[str, int | bytes], message: str) -> None:
    (tmp_path / "train-00001-of-00001").write_bytes(packed(**changes))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_a_shard_that_is_cut_off_is_refused_with_name_and_place(tmp_path: Path) -> None:
    (tmp_path / "train-00001-of-00001").write_bytes((packed(1) + packed(2))[:-10])
    with pytest.raises(UserError, match=rf"train-00001-of-00001 ends within the record at byte {len(packed(1))}"):
        read(tmp_path)


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels-norm.csv").write_text("x")
    with pytest.raises(UserError, match=r"has no TFRecord files, expected names like train-00001-of-00407"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"there is no file or folder .*nowhere"):
        read(tmp_path / "nowhere")
