import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crystal_search.errors import ResultError, WrongWorkUnitError
from crystal_search.features import as_text
from crystal_search.geometry import Box
from crystal_search.hostile_json import UNPRINTABLE, Reader, read_whole
from crystal_search.result import BestChop, RankedScore, Result, result_to_json, write_result
from crystal_search.result_reader import SMALL_BYTES, read_result, result_from_json
from crystal_search.work_unit import WorkUnit
from tests.unit.builders import GOLDEN, featured_score, jpeg, packed, result_for


@pytest.fixture
def unit(tmp_path: Path) -> WorkUnit:
    return packed(tmp_path / "unit.zip")


@pytest.fixture
def folder(tmp_path: Path, unit: WorkUnit) -> Path:
    """Return a folder with a good result."""
    path = tmp_path / "returned"
    write_result(result_for(unit, path), path)
    return path


def spoilt(folder: Path, *keys: str | int, value: Any) -> Path:
    """Change one place in the result file."""
    path = folder / "result.json"
    content = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    if value is KeyError:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    path.write_text(json.dumps(content))
    return path


def test_what_is_written_is_read(folder: Path, unit: WorkUnit) -> None:
    result = read_result(folder / "result.json", unit)
    assert result == result_for(unit, folder)
    assert result_from_json(result_to_json(result).encode()) == result


def test_the_golden_result_is_still_written_and_read(unit: WorkUnit) -> None:
    golden = (GOLDEN / "result-3.json").read_text()
    assert result_to_json(featured_result(unit)) == golden
    assert result_from_json(golden.encode()) == featured_result(unit)


def featured_result(unit: WorkUnit) -> Result:
    """Return a good result with features of the first image."""
    result = result_for(unit)
    return replace(result, images=(replace(result.images[0], score=featured_score()), *result.images[1:]))


def test_a_result_of_version_2_says_nothing_of_features(unit: WorkUnit) -> None:
    golden = (GOLDEN / "result-2.json").read_bytes()
    assert result_from_json(golden) == result_for(unit)
    with pytest.raises(ResultError, match="unknown 'features'"):
        result_from_json((GOLDEN / "result-3.json").read_bytes().replace(b'"version": 3', b'"version": 2'))


def test_features_are_numbers_of_16_bits(unit: WorkUnit) -> None:
    features = featured_result(unit).images[0].score.features
    assert features is not None
    assert features.dtype == np.float16
    assert features.tolist() == [0.0, 0.5, 1.25, 3.0]
    assert result_for(unit).images[0].score.features is None


def test_probabilities_may_be_whole_numbers(unit: WorkUnit) -> None:
    content = json.loads(result_to_json(result_for(unit)))
    content["images"][0]["score"]["group_peaks"][1] = 1
    (image, *_) = result_from_json(json.dumps(content).encode()).images
    assert image.score.group_peaks[1] == 1.0
    assert {*map(type, image.score.group_peaks)} == {float}


@pytest.mark.parametrize("images", [1, 40])
def test_a_text_that_was_read_lately_is_not_read_again(tmp_path: Path, images: int) -> None:
    text = result_to_json(result_for(packed(tmp_path / "many.zip", images=images))).encode()
    assert result_from_json(text) is result_from_json(bytes(bytearray(text)))
    assert (len(text) > SMALL_BYTES) is (images == 40)


def test_a_result_of_version_1_counts_as_well(tmp_path: Path, unit: WorkUnit) -> None:
    result = result_from_json((GOLDEN / "result-1.json").read_bytes())
    assert result == result_for(unit)
    shutil.copy(GOLDEN / "result-1.json", tmp_path / "result.json")
    assert read_result(tmp_path / "result.json", unit) == result
    with pytest.raises(ResultError, match=f"scored with classifier {'c' * 64}, drop"):
        read_result(spoilt(tmp_path, "classifier_sha256", value="c" * 64), unit)


def test_a_result_for_another_work_unit_is_refused_as_that(folder: Path, tmp_path: Path) -> None:
    other = packed(tmp_path / "other.zip", name="demo-2")
    with pytest.raises(WrongWorkUnitError, match="demo-2"):
        read_result(folder / "result.json", other)


SCORE = ("images", 0, "score")

HOSTILE: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "another format": (("format",), "something"),
    "another version": (("version",), 4),
    "another model": (("models", 0, "sha256"), "c" * 64),
    "another drop locator": (("models", 1, "sha256"), "c" * 64),
    "no models": (("models",), []),
    "two models in a role": (("models", 1, "role"), "classifier"),
    "a role that nobody knows": (("models", 1, "role"), "oracle"),
    "a model that says more": (("models", 1, "path"), "/etc/passwd"),
    "a model of version 1": (("classifier_sha256",), "a" * 64),
    "a field is missing": (("client_version",), KeyError),
    "an unknown field": (("run",), "rm -rf"),
    "no images": (("images",), []),
    "an image that was not asked for": (("images", 0, "id"), "77"),
    "another image": (("images", 0, "sha256"), "c" * 64),
    "a probability above one": ((*SCORE, "score", "probability"), 1.5),
    "a negative probability": ((*SCORE, "class_probabilities", 0), -0.1),
    "a text for a number": ((*SCORE, "class_probabilities", 0), "0.4"),
    "a truth value for a probability": ((*SCORE, "group_peaks", 1), True),
    "too few probabilities": ((*SCORE, "class_probabilities"), [1.0]),
    "probabilities that do not add up": ((*SCORE, "class_probabilities", 0), 0.9),
    "a truth value for a number": ((*SCORE, "height_px"), True),
    "an outcome that does not exist": ((*SCORE, "score", "outcome"), "diamond"),
    "an outcome that only chops have": ((*SCORE, "score", "outcome"), "rim"),
    "an outcome against the ranking": ((*SCORE, "score", "outcome"), "clear"),
    "a threshold that was not reached": ((*SCORE, "score", "above_threshold"), False),
    "a box outside the image": ((*SCORE, "drop", "box"), [0, 0, 201, 10]),
    "an empty box": ((*SCORE, "drop", "box"), [10, 10, 10, 20]),
    "a box of fractions": ((*SCORE, "drop", "box"), [0.5, 0, 10, 10]),
    "an outline outside the image": ((*SCORE, "drop", "outline", 0), [0, 5000]),
    "an outline outside the drop": ((*SCORE, "drop", "outline", 0), [19, 30]),
    "an outline of truth values": ((*SCORE, "drop", "outline", 0), [True, 30]),
    "an outline of fractions": ((*SCORE, "drop", "outline", 0), [30.0, 30]),
    "an outline with a third coordinate": ((*SCORE, "drop", "outline", 0), [30, 30, 30]),
    "an outline of texts": ((*SCORE, "drop", "outline", 0), "ab"),
    "an outline without end": ((*SCORE, "drop", "outline"), [[1, 1]] * 1000),
    "a chop for another group": ((*SCORE, "best_chops", 0, "outcome"), "clear"),
    "a huge number": ((*SCORE, "chops"), 10**400),
    "features that are no text": ((*SCORE, "features"), [0.0, 0.5]),
    "features that are no base64": ((*SCORE, "features"), "AAA!"),
    "features in another base64": ((*SCORE, "features"), "ADg="[:3]),
    "features with bits left over": ((*SCORE, "features"), "ADh="),
    "features with half a number": ((*SCORE, "features"), "ADgA"),
    "no features": ((*SCORE, "features"), ""),
    "a feature that is no number": ((*SCORE, "features"), as_text(np.array([0, np.nan], np.float16).tobytes())),
    "an infinite feature": ((*SCORE, "features"), as_text(np.array([0, -np.inf], np.float16).tobytes())),
    "features without end": ((*SCORE, "features"), as_text(bytes(8194))),
    "an error and a score": ((*SCORE, "error"), "unreadable"),
    "an empty error": ((*SCORE, "error"), ""),
    "an unknown step": ((*SCORE, "seconds", "sleep"), 1.0),
    "a lone surrogate in a text": ((*SCORE, "error"), "\ud800"),
    "a control character in a text": (("client_version",), "0.1\0"),
    "a probability that is not its group's": ((*SCORE, "score", "probability"), 0.9),
    "a chop louder than the best": ((*SCORE, "best_chops", 0, "probability"), 0.99),
    "a first chop below the score": ((*SCORE, "best_chops", 0, "probability"), 0.9),
    "a first chop of another outcome": ((*SCORE, "best_chops", 0, "outcome"), "crystal_bad_form"),
    "chops from the worst on": (
        (*SCORE, "best_chops"),
        [
            {"box": [40, 50, 140, 150], "outcome": "crystal_harvestable", "probability": share}
            for share in (0.97, 0.5, 0.6)
        ],
    ),
    "frames left out": ((*SCORE, "best_chops"), []),
    "a mean above its best chop": ((*SCORE, "group_peaks", 3), 0.01),
    "best chops of no chops": ((*SCORE, "chops"), 0),
    "a score without a drop": ((*SCORE, "drop"), None),
    "an overlay elsewhere": (("images", 0, "overlay", "file"), "../../etc/passwd"),
    "an overlay that is not there": (("images", 0, "overlay", "file"), "overlays/0007.jpg"),
    "an overlay with another hash": (("images", 0, "overlay", "sha256"), "c" * 64),
    "an overlay of another size": (("images", 0, "overlay", "size_bytes"), 5),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_result_is_refused(folder: Path, unit: WorkUnit, kind: str) -> None:
    keys, value = HOSTILE[kind]
    with pytest.raises(ResultError):
        read_result(spoilt(folder, *keys, value=value), unit)


def test_a_result_nested_as_deep_as_may_be_is_refused(folder: Path, unit: WorkUnit) -> None:
    """Deep enough, a value can be parsed and yet be too deep to be shown in a message."""
    text = spoilt(folder, "images", 0, "overlay", "file", value="@@").read_bytes()
    for depth in range(1, 1500, 7):
        deep = b"[" * depth + b"1" + b"]" * depth
        with pytest.raises(ResultError):
            result_from_json(text.replace(b'"@@"', deep))
        with pytest.raises(ResultError):
            result_from_json(text.replace(b'"@@"', b'{"a":' * depth + b"1" + b"}" * depth))


def test_a_reader_that_stumbles_refuses_the_text() -> None:
    def stumble(_: Reader) -> None:
        raise IndexError("[" * 5000)

    with pytest.raises(ResultError, match=r"result: cannot be used \(IndexError: ") as caught:
        read_whole(b"{}", "result", ResultError, stumble)
    assert len(str(caught.value)) < 200


def test_text_that_is_printable_to_python_holds_nothing_that_is_refused() -> None:
    assert not UNPRINTABLE.search("".join(filter(str.isprintable, map(chr, range(sys.maxunicode + 1)))))


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[" * 200_000, b'{"a":' * 100_000, b"\xff\xfe", b"NaN", b'{"version": 1' + b"0" * 5000 + b"}"],
)
def test_text_that_is_no_result_is_refused(text: bytes) -> None:
    with pytest.raises(ResultError):
        result_from_json(text)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_numbers_that_are_none_are_refused(unit: WorkUnit, number: bytes) -> None:
    text = result_to_json(result_for(unit)).encode().replace(b"0.97", number, 1)
    with pytest.raises(ResultError):
        result_from_json(text)


def test_a_link_is_not_followed(folder: Path, unit: WorkUnit, tmp_path: Path) -> None:
    (folder / "result.json").rename(tmp_path / "elsewhere.json")
    os.symlink(tmp_path / "elsewhere.json", folder / "result.json")
    with pytest.raises(ResultError, match="regular"):
        read_result(folder / "result.json", unit)


def test_an_overlay_that_is_a_link_is_refused(folder: Path, unit: WorkUnit, tmp_path: Path) -> None:
    (folder / "overlays" / "0000.jpg").unlink()
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    os.symlink(tmp_path / "secret.jpg", folder / "overlays" / "0000.jpg")
    with pytest.raises(ResultError, match="regular"):
        read_result(folder / "result.json", unit)


def test_a_missing_or_enormous_result_is_refused(tmp_path: Path, unit: WorkUnit) -> None:
    with pytest.raises(ResultError):
        read_result(tmp_path / "none.json", unit)
    with (tmp_path / "big.json").open("wb") as file:
        file.truncate(1_000_000)
    with pytest.raises(ResultError, match="bytes"):
        read_result(tmp_path / "big.json", unit)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_result_is_refused_or_reads_the_same_again(unit: WorkUnit, data: st.DataObject) -> None:
    text = bytearray(result_to_json(result_for(unit)).encode())
    if data.draw(st.booleans()):
        text = text[: data.draw(st.integers(0, len(text) - 2))]
    else:
        for position in data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=5)):
            text[position] = data.draw(st.integers(0, 255))
    try:
        found = result_from_json(bytes(text))
    except ResultError:
        return
    assert isinstance(found, Result)
    assert result_from_json(result_to_json(found).encode()) == found


def test_a_part_file_is_never_the_result(tmp_path: Path, unit: WorkUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crystal_search.files.os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        write_result(result_for(unit), tmp_path)
    assert not (tmp_path / "result.json").exists()


def test_every_result_field_is_documented() -> None:
    page = (GOLDEN.parent.parent / "docs" / "result.md").read_text()

    def names(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for each in value.values() for name in names(each)}
        return {name for each in value for name in names(each)} if isinstance(value, list) else set()

    fields = names(json.loads((GOLDEN / "result-3.json").read_text())) | {"size_bytes", "file"}
    assert not [field for field in sorted(fields) if f"`{field}`" not in page]


def test_an_unreadable_image_is_part_of_a_good_result(unit: WorkUnit, tmp_path: Path) -> None:
    good = result_for(unit)
    bad = replace(good.images[0], score=type(good.images[0].score)(height_px=0, width_px=0, error="cut off"))
    write_result(replace(good, images=(bad, *good.images[1:])), tmp_path)
    assert read_result(tmp_path / "result.json", unit).images[0].score.outcome == "unreadable"


@pytest.mark.parametrize(("group", "accepted"), [("crystal", True), ("clear", True), ("other", False)])
def test_a_tie_within_rounding_may_go_either_way(group: str, accepted: bool, unit: WorkUnit, tmp_path: Path) -> None:
    outcome = {"crystal": "crystal_harvestable", "clear": "clear", "other": "other"}[group]
    shares = [0.0] * 13
    shares[0], shares[10], shares[7] = 0.4, 0.400001, 0.199999
    peaks = (0.5, 0.1, 0.3, 0.6)
    peak = peaks[["crystal", "precipitate", "other", "clear"].index(group)]
    good = result_for(unit)
    found = replace(
        good.images[0].score,
        class_probabilities=tuple(shares),
        group_peaks=peaks,
        best_chops=(BestChop(box=Box(40, 50, 140, 150), outcome=outcome, probability=peak),),
        score=RankedScore(outcome=outcome, probability=peak, above_threshold=False),
    )
    write_result(replace(good, images=(replace(good.images[0], score=found), good.images[1])), tmp_path)
    if accepted:
        read_result(tmp_path / "result.json", unit)
    else:
        with pytest.raises(ResultError, match="against its probabilities"):
            read_result(tmp_path / "result.json", unit)


def test_a_fault_of_our_own_disk_is_not_the_result_s(
    folder: Path, unit: WorkUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_: Path) -> bytes:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "read_bytes", stale)
    with pytest.raises(OSError, match="Stale"):
        read_result(folder / "result.json", unit)
