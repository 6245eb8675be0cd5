"""What is fuzzed, over the inputs that are kept: seeds are read, findings of old stay mended."""

import csv
import json
import re
from pathlib import Path
from random import Random

import pytest

from crystal_search.archives.tfrecord import read_examples
from crystal_search.errors import ImageError
from crystal_search.images import decode
from tests.fuzz.__main__ import Fuzzed, table
from tests.fuzz.keep import ROOM_BYTES, chosen
from tests.fuzz.mutations import mutated_cells, mutated_json, with_png_checksums, with_record_checksums
from tests.fuzz.seeds import SEED, seeds
from tests.fuzz.targets import CORPUS, TARGETS, Target, check, inputs

MAX_CORPUS_BYTES = 200_000


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")  # of what a decoder thinks of a spoilt picture
def test_every_input_that_is_kept_is_read_or_refused(name: str) -> None:
    for path in inputs(name):
        read = TARGETS[name](path.read_bytes())
        assert read is not None or not path.name.startswith(SEED), path


def test_the_corpora_begin_with_what_the_script_writes_and_stay_small() -> None:
    kept = {name: {path.name for path in inputs(name) if path.name.startswith(SEED)} for name in TARGETS}
    assert kept == {name: {f"{SEED}{each}" for each in files} for name, files in seeds().items()}
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MAX_CORPUS_BYTES


def test_anything_but_a_promised_error_is_a_finding() -> None:
    target = Target(int, (ValueError,))
    assert (target(b"7"), target(b"x")) == (7, None)
    with pytest.raises(ZeroDivisionError):
        Target(lambda data: 1 // len(data), (ValueError,))(b"")
    with pytest.raises(AssertionError, match="so it is"):
        check(False, "so it is")


def test_one_value_of_a_json_text_is_changed() -> None:
    text = json.dumps({"a": [1, 2.5, {"b": "c"}], "d": 1e300})
    found = {mutated_json(text.encode(), Random(seed)) for seed in range(300)}
    assert len(found) > 100
    assert any(b"1e999" in each for each in found)
    for each in found:
        json.loads(each)
    assert mutated_json(b"{", Random(0)) == b"{"
    assert mutated_json(b"1", Random(0)) == b"[1]"


def test_one_value_in_one_cell_of_a_table_is_changed() -> None:
    table = b'name,told,more\nann,"{""a"": 1}","[2, 3]"\nben,no,\n'
    found = {mutated_cells(table, Random(seed)) for seed in range(200)}
    assert len(found) > 50
    rows = [rows_of(each) for each in found]
    assert all((each[0], each[1][0], each[2]) == (["name", "told", "more"], "ann", ["ben", "no", ""]) for each in rows)
    assert all((each[1][1] == '{"a": 1}') != (each[1][2] == "[2, 3]") for each in rows if each != rows_of(table))
    assert mutated_cells(b"name\nann\n", Random(0)) == b"name\nann\n"
    assert mutated_cells(b"\xff", Random(0)) == b"\xff"


def rows_of(table: bytes) -> list[list[str]]:
    return list(csv.reader(table.decode().splitlines()))


def test_checksums_are_set_right(tmp_path: Path) -> None:
    good = (CORPUS / "png" / f"{SEED}grey.png").read_bytes()
    spoilt = good.replace(b"IDAT", b"IDAU")
    with pytest.raises(ImageError, match="damaged"):
        decode(spoilt)
    assert with_png_checksums(spoilt) not in (spoilt, good)
    assert with_png_checksums(with_png_checksums(spoilt).replace(b"IDAU", b"IDAT")) == good
    assert with_png_checksums(b"GIF") == b"GIF"
    records = (CORPUS / "tfrecord" / f"{SEED}a.tfrecord").read_bytes()
    path = tmp_path / "a.tfrecord"
    path.write_bytes(with_record_checksums(records.replace(b"Crystals", b"Xrystals")))
    assert [each.features.text("image/class/text") for each in read_examples(path)] == ["Xrystals", "Clear"]


def test_the_table_names_what_was_found() -> None:
    text = table([Fuzzed("png", 1.25, 123_456, 7, (Path("findings/png-crash-1"),))])
    assert text.splitlines() == [
        "target            CPU min   executions   kept  findings",
        "png                   1.2      123,456      7         1",
        "findings/png-crash-1",
    ]


def test_what_runs_new_lines_is_kept_the_smallest_first_as_long_as_there_is_room() -> None:
    score = json.loads((CORPUS / "score_request" / f"{SEED}score.json").read_bytes())
    known = json.dumps(score).encode()
    bare = json.dumps({each: score[each] for each in ("image_id", "outcome", "person")}).encode()
    cut_off = b'{"image_id": 7, "outcome": "cle'
    target = TARGETS["score_request"]
    assert chosen(target, [known], [known + b" ", bare]) == []
    assert chosen(target, [known], [cut_off, cut_off + b" "]) == [cut_off]
    assert chosen(target, [known], [cut_off + b" " * ROOM_BYTES]) == []


def test_the_page_tells_of_every_target() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fuzzing.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z_]+)` \| ", page, re.MULTILINE) == list(TARGETS)
