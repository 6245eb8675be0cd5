"""assimilate, finalize and set-autoscore: the CSV in between, people who edit it, kills between any two steps."""

import csv
import errno
import io
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crystal_search.errors import DatabaseError
from crystal_search.features import unpacked
from crystal_search.model import hashes_of
from crystal_search.outcomes import OUTCOMES
from crystal_search.server.feature_store.feature_index import FeatureIndex
from crystal_search.server.feature_store.feature_rows import Segments, picture_of
from crystal_search.server.feature_store.feature_store import stores_in
from crystal_search.server.folders import unit_files, unit_names
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.installation import Installation
from crystal_search.server.services import finalize as finalizing
from crystal_search.server.services import set_autoscore as setting
from crystal_search.server.services.assimilate import assimilate, assimilated_scores
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.finalize import finalize
from crystal_search.server.services.score_csv import COLUMNS, cells_of, read_csv, summary
from crystal_search.server.services.set_autoscore import set_autoscores
from crystal_search.server.services.validate import validate
from crystal_search.server.unit_states import State, names_in, place_of
from tests.memory_imaging import MemoryImaging
from tests.service_site import (
    PICTURE,
    RECIPE,
    add_images,
    auto_scores,
    engine_of,
    pass_time,
    return_results,
    score_everything,
    site_at,
    with_settings,
)


def assimilated_site(folder: Path, images: int = 4, **plan: Any) -> Installation:
    site = site_at(folder, images=images)
    create_work(site, RECIPE)
    return_results(site, **plan)
    validate(site.home)
    assimilate(site)
    return site


def finalized(site: Installation) -> Path:
    path = finalize(site)
    if path is None:
        raise ValueError("nothing was finalized")
    return path


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def counts(site: Installation) -> list[int]:
    return [len(scores) for scores in auto_scores(site).values()]


def test_assimilating_clears_the_queue_and_leaves_the_unit_open(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    assert len(unit_names(site.home.spool)) == 2
    assert not unit_files(site.home.queue)
    assert len(site.imaging.units("open")) == 2
    assert assimilate(site) == 0


def test_a_result_that_the_database_does_not_wait_for_is_left_alone(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    (site.home.validated / "p-1-00").mkdir()
    assert assimilate(site) == 0
    assert unit_names(site.home.validated) == ["p-1-00"]


def test_the_summary_of_a_csv_counts_unsure_as_such(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path, unreadable=("2",))
    path = finalized(site)
    assert summary(read_csv(path)) == "3 crystal"
    edit(path, lambda lines: [lines[0], lines[1].replace(",yes,", ",no,", 1), *lines[2:]])
    assert summary(read_csv(path)) == "2 crystal, 1 unsure"


def test_a_csv_has_the_second_opinion_and_is_read_without(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    (score, *_) = assimilated_scores(place_of(site.home, names_in(site.home, State.SPOOLED)[0], State.SPOOLED))
    opinion = tuple(0.7 if outcome.name == "clear" else 0.3 / 12 for outcome in OUTCOMES)
    cells = cells_of(replace(score, found=replace(score.found, second_opinion=opinion)), None)
    assert (cells["second_group"], cells["second_probability"]) == ("clear", "0.750000")
    assert "second_group" not in cells_of(score, None)
    path = finalized(site)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    old = [name for name in COLUMNS if not name.startswith("second_")]  # as the file was before
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, old, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    assert set_autoscores(site).new == len(rows)


def test_one_csv_has_every_image(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path, unreadable=("2",))
    path = finalized(site)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert sorted(row["image_id"] for row in rows) == ["1", "3", "4"]
    good = next(row for row in rows if row["image_id"] == "1")
    assert (good["plate"], good["well"], good["outcome"], good["group"]) == ("90j8", "A01", OUTCOMES[0].name, "crystal")
    assert (good["p_crystal"], good["drop_found"], good["drop_right"], good["score_number"]) == (
        ("0.990000", "yes", "101", "23")
    )
    assert finalize(site) is None
    assert len(unit_names(site.home.archive)) == 2


def test_what_a_client_cannot_read_has_no_score_yet_and_is_tried_again(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path, unreadable=("2",))
    finalized(site)
    set_autoscores(site)
    assert counts(site) == [1, 0, 1, 1]
    assert len(site.imaging.units("done")) == 2
    assert [(each.reason, each.images) for each in site.imaging.postponed()] == [("it cannot be decoded yet: bad", 1)]
    assert create_work(site, RECIPE).images == 0
    pass_time(site, seconds=100)
    assert create_work(site, RECIPE).images == 1
    return_results(site)
    validate(site.home)
    assimilate(site)
    finalized(site)
    assert set_autoscores(site).new == 1
    assert counts(site) == [1, 1, 1, 1]
    assert site.imaging.postponed() == []


def test_a_unit_that_no_client_could_read_holds_nothing_up(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path, images=1, unreadable=("1",))
    assert finalize(site) is None or set_autoscores(site).new == 0
    assert [unit.reason for unit in site.imaging.units("done")] == ["a client could read none of its images"]
    pass_time(site, seconds=100)
    assert create_work(site, RECIPE).images == 1


def test_setting_scores_closes_the_units(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    path = finalized(site)
    assert set_autoscores(site).new == 4
    assert counts(site) == [1, 1, 1, 1]
    assert len(site.imaging.units("done")) == 2
    assert not list(site.home.finalized.iterdir())
    score = auto_scores(site)[1][0]
    found = score.found
    assert (found.probability, score.recipe, len(found.best_chops), found.width_px) == (0.99, RECIPE, 1, 600)
    (site.home.scored / path.name).rename(path)
    assert set_autoscores(site).new == 0


def test_a_deleted_row_sets_no_score_and_is_not_scored_again(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    edit(finalized(site), lambda lines: [lines[0], *(line for line in lines[1:] if ",3," not in line[-250:])])
    assert set_autoscores(site).new == 3
    (left_out,) = site.imaging.units("failed")
    assert "left out" in left_out.reason
    assert create_work(site, RECIPE).images == 0


def test_deleting_every_row_of_a_unit_closes_it(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    edit(finalized(site), lambda lines: lines[:1])
    assert set_autoscores(site).new == 0
    assert not site.imaging.units("open")
    assert create_work(site, RECIPE).images == 0


def test_a_picture_that_was_replaced_while_its_unit_was_in_work_is_scored_anew(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path, unreadable=("2",))
    image = site.imaging.images([1])[1]
    Path(image.path).write_bytes(PICTURE + b"another")
    create_work(site, RECIPE)
    finalized(site)
    set_autoscores(site)
    assert not auto_scores(site)[1][0].counts
    assert site.imaging.units("failed") == []
    pass_time(site, seconds=100)
    assert create_work(site, RECIPE).images == 2


def test_what_a_client_could_not_read_is_tried_again_also_beside_a_deleted_row(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path, images=4), workers=1)
    create_work(site, RECIPE)
    return_results(site, unreadable=("2",))
    validate(site.home)
    assimilate(site)
    edit(finalized(site), lambda lines: [lines[0], *(line for line in lines[1:] if ",3," not in line[-250:])])
    assert set_autoscores(site).new == 2
    pass_time(site, seconds=100)
    assert [image.id for image in site.imaging.images_without_score(RECIPE, limit=9)] == [2]


def test_a_changed_row_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    path = finalized(site)
    path.write_text(path.read_text().replace("crystal_harvestable,23", "clear,1", 1))
    found = set_autoscores(site)
    assert found.new == 3
    assert "do not change it" in found.refused[0]
    assert "the result says" in (site.home.refused / f"{path.stem}.txt").read_text()


@pytest.mark.parametrize(
    "text", ["", "no,columns\n1,2\n", 'work_unit,image_id,outcome\n"unfinished', "\udcff", "\x00"], ids=repr
)
def test_a_malformed_csv_is_set_aside(tmp_path: Path, text: str) -> None:
    site = assimilated_site(tmp_path)
    (site.home.finalized / "a.csv").write_bytes(text.encode(errors="surrogateescape"))
    finalize(site)
    found = set_autoscores(site)
    assert found.new == 4
    assert "a.csv" in found.refused[0]
    assert sorted(path.name for path in site.home.refused.iterdir()) == ["a.csv", "a.txt"]


def test_a_csv_of_ours_that_is_spoiled_is_written_again_once(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    spoiled = finalized(site)
    spoiled.write_bytes(b"\xff")
    assert "writes its results into a new one" in set_autoscores(site).refused[0]
    again = finalized(site)
    assert finalize(site) is None
    rows = again.read_bytes()
    again.write_bytes(b"\xff")
    assert "new one" not in set_autoscores(site).refused[0]
    assert finalize(site) is None
    path = finalize(site, again=True)
    assert path
    assert path.read_bytes() == rows
    assert set_autoscores(site).new == 4
    assert finalize(site, again=True) is None
    assert not site.imaging.units("open")
    assert not list(site.home.finalized.iterdir())


def test_a_database_in_trouble_holds_up_one_csv_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = assimilated_site(tmp_path)
    lines = finalized(site).read_text().splitlines()
    (site.home.finalized / "a.csv").write_text("\n".join([lines[0], *(line for line in lines if ",1," in line[-280:])]))
    real, calls = site.imaging.add_auto_scores, iter(range(9))

    def busy(scores: Iterable[AutoScore]) -> int:
        if next(calls) == 0:
            raise DatabaseError("it is restarted")
        return real(scores)

    monkeypatch.setattr(site.imaging, "add_auto_scores", busy)
    found = set_autoscores(site)
    assert (found.new, found.refused, found.waiting) == (4, (), ("a.csv waits: it is restarted",))
    with pytest.raises(DatabaseError, match="restarted"):
        setting.report(found)
    assert set_autoscores(site).waiting == ()


def test_an_image_that_the_database_lacks_is_a_row_left_out(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    finalized(site)
    site = replace(site, imaging=MemoryImaging())
    add_images(site, tmp_path / "images", 3)
    found = set_autoscores(site)
    assert found.new == 3
    assert "the imaging database has no image 4" in found.refused[0]
    assert not list(site.home.finalized.glob("*.csv"))


def test_rows_of_strangers_are_refused(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    lines = "work_unit,image_id,outcome\n../../etc,1,clear\nnobody-1,1,clear\n,,clear\n"
    (site.home.finalized / "a.csv").write_text(lines)
    found = set_autoscores(site)
    assert (found.new, len(found.refused)) == (0, 3)


def as_excel_saves(text: str, kind: str) -> bytes:
    """Return a table as spreadsheets save it again."""
    if kind == "comma":
        return text.encode("utf-8-sig")
    rows = csv.reader(io.StringIO(text, newline=""))
    saved = io.StringIO()
    csv.writer(saved, delimiter="\t" if kind == "utf-16" else ";", lineterminator="\r\n").writerows(rows)
    if kind == "sep":
        return f"sep=;\r\n{saved.getvalue()}".encode("utf-8-sig")
    return saved.getvalue().encode(kind)


@pytest.mark.parametrize("deleted", ["the line", "its cells"])
@pytest.mark.parametrize("kind", ["comma", "cp1252", "utf-16", "sep"])
def test_a_persons_deletions_are_lost_to_no_encoding(tmp_path: Path, kind: str, deleted: str) -> None:
    site = assimilated_site(tmp_path / "Züchtungen")
    path = finalized(site)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert "Züchtungen" in lines[1]
    kept = [*lines[:1], *([] if deleted == "the line" else ["," * (len(COLUMNS) - 1) + "\n"]), *lines[2:]]
    path.write_bytes(as_excel_saves("".join(kept), kind))
    found = set_autoscores(site)
    assert (found.new, found.refused) == (3, ())
    assert sorted(counts(site)) == [0, 1, 1, 1]
    assert finalize(site) is None
    assert list(site.home.refused.iterdir()) == []


def test_a_number_of_which_a_program_made_another_one_is_what_it_was(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    path = finalized(site)
    header, *rows = csv.reader(path.read_text().splitlines())
    for cells in rows:
        for column in ("score_number", "image_id", "drop"):
            at = header.index(column)
            cells[at] = cells[at] and f"{cells[at]}.0"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    found = set_autoscores(site)
    assert (found.new, found.refused) == (4, ())


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    add_images(site, tmp_path / "images", 1, plate="=cmd|' /C calc'!A0")
    create_work(site, RECIPE)
    return_results(site)
    validate(site.home)
    assimilate(site)
    path = finalized(site)
    assert path.read_text().splitlines()[1].startswith("'=cmd")
    assert read_csv(path)[0].cells["plate"].startswith("=cmd")
    assert set_autoscores(site).new == 1


def test_a_deleted_csv_can_be_written_again(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    finalized(site).unlink()
    assert finalize(site) is None
    assert finalize(site, again=True)
    assert finalize(site, again=True) is None
    assert set_autoscores(site).new == 4


def test_a_damaged_spool_is_scored_again_and_blocks_no_other(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    first, second = unit_names(site.home.spool)
    (site.home.spool / first / "result.json").write_text("{}")
    assert {row.cells["work_unit"] for row in read_csv(finalized(site))} == {second}
    assert unit_names(site.home.refused) == [first]
    with engine_of(site) as engine:
        score_everything(site, engine)
    assert counts(site) == [1, 1, 1, 1]


@pytest.mark.parametrize("spoiled", ['"image_ids": 1', '"image_ids": [7]', '"image_ids": [[1]]'])
def test_a_damaged_record_is_told(tmp_path: Path, spoiled: str) -> None:
    site = assimilated_site(tmp_path)
    folder = site.home.spool / unit_names(site.home.spool)[0]
    text = (folder / "unit.json").read_text()
    (folder / "unit.json").write_text(re.sub(r'"image_ids": \[[^]]*\]', spoiled, text))
    with pytest.raises(DatabaseError, match="holds"):
        assimilated_scores(folder)


@pytest.mark.parametrize("step", ["finalize", "the archive", "the CSV file"])
def test_what_cannot_be_read_now_waits_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    site = assimilated_site(tmp_path)
    real = Path.read_bytes
    if step != "finalize":
        edit(finalized(site), lambda lines: lines[:-1])
    suffix = {"finalize": "result.json", "the archive": "result.json", "the CSV file": ".csv"}[step]

    def read(path: Path) -> bytes:
        if path.name.endswith(suffix):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read)
        for _ in range(2):
            assert finalize(site) is None
            found = set_autoscores(site)
            assert (found.new, found.refused, len(found.waiting)) == (0, (), step != "finalize")
    finalize(site)
    assert set_autoscores(site).new == (4 if step == "finalize" else 3)
    assert not site.imaging.units("open")
    assert not list(site.home.refused.iterdir())


@pytest.mark.parametrize("name", [".a.part", ".a.csv.units", "a.csv.ready", "a.csv"])
def test_a_folder_among_the_csv_files_holds_nothing_up(tmp_path: Path, name: str) -> None:
    site = assimilated_site(tmp_path)
    (site.home.finalized / name).mkdir()
    for _ in range(2):
        finalize(site)
        set_autoscores(site)
    assert counts(site) == [1, 1, 1, 1]
    assert not site.imaging.units("open")


def kept_features(site: Installation) -> list[tuple[int, list[float]]]:
    """Return the images of which features are kept, with them, in the order of rows."""
    (store,) = stores_in(site.home.features)
    assert hashes_of(store.models) == hashes_of(RECIPE.models)
    return [(int(row["image_id"]), row["features"].tolist()) for block in store.blocks() for row in block]


def features_told(site: Installation) -> dict[int, list[float]]:
    """Return the features that the archived results have, by image."""
    names = names_in(site.home, State.ARCHIVED)
    scores = [score for name in names for score in assimilated_scores(place_of(site.home, name, State.ARCHIVED))]
    return {score.image_id: unpacked(score.found.packed_features).tolist() for score in scores}


def test_features_are_kept_once_with_the_scores(tmp_path: Path) -> None:
    site = assimilated_site(tmp_path)
    path = finalized(site)
    edit(path, lambda lines: [lines[0], *lines[2:]])
    assert not stores_in(site.home.features)
    assert set_autoscores(site).new == 3
    kept = dict(kept_features(site))
    told = features_told(site)
    assert len(told) == 4
    assert kept == {image: told[image] for image in kept}
    assert len(kept) == len(kept_features(site)) == 3  # a row that was left out has none in the ledger either
    (site.home.scored / path.name).rename(path)
    assert set_autoscores(site).new == 0
    assert len(kept_features(site)) == 3
    (store,) = stores_in(site.home.features)
    shown = site.imaging.images(kept)
    pictures = [picture_of(image.version.sha256) for image in shown.values() if image.version]
    assert (store.find(np.array([*shown]), np.array(pictures, np.uint64)) >= 0).all()


def test_scores_wait_for_their_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = assimilated_site(tmp_path)
    finalized(site)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(FeatureIndex, "commit", full)
        found = set_autoscores(site)
    assert found.new == 0
    assert "No space left on device" in found.waiting[0]
    assert counts(site) == [0, 0, 0, 0]
    assert set_autoscores(site).new == 4
    assert dict(kept_features(site)) == features_told(site)


STEPS = [
    (finalizing, "write_whole", 0),
    (finalizing, "write_whole", 1),
    (finalizing, "move", 0),
    (finalizing, "move", 1),
    (setting, "keep_features", 0),
    (Segments, "write", 0),
    (FeatureIndex, "point", 1),
    (FeatureIndex, "commit", 0),
    (MemoryImaging, "add_auto_scores", 0),
    (setting, "_close_units", 0),
    (setting, "contents_file", 0),
]


@pytest.mark.parametrize(("module", "name", "call"), STEPS)
def test_killed_between_any_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, call: int
) -> None:
    site = assimilated_site(tmp_path)
    calls = iter(range(100))
    real = getattr(module, name)

    def killed(*arguments: object) -> object:
        if next(calls) == call:
            raise SystemExit
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(SystemExit):
            (finalize(site), set_autoscores(site))
    (finalize(site), set_autoscores(site))
    assert counts(site) == [1, 1, 1, 1]
    assert len(list(site.home.scored.glob("*.csv"))) == 1
    assert not site.imaging.units("open")
    assert not unit_names(site.home.spool)
    assert len(kept_features(site)) == 4
    assert dict(kept_features(site)) == features_told(site)
