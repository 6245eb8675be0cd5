"""Archives with corrected labels."""

from pathlib import Path

import pytest

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions
from crystal_search.archives.corrected import corrected
from crystal_search.archives.image_table import open_csv
from crystal_search.datasets.building import sources_of
from crystal_search.errors import UserError


def archive(folder: Path, name: str) -> Archive:
    for image in ("a.jpg", "b.jpg"):
        (folder / image).touch()
    path = folder / name
    path.write_text("file,outcome\na.jpg,clear\nb.jpg,clear\nmissing.jpg,clear\n")
    return open_csv(path, ArchiveOptions())


def fixes(folder: Path, *lines: str) -> Path:
    path = folder / "fixes.csv"
    path.write_text("\n".join(["file,outcome", *lines, ""]))
    return path


def outcomes(archives: list[Archive], corrections: Path) -> list[list[str]]:
    return [
        [each.outcome for each in one.images() if isinstance(each, ArchiveImage)]
        for one in corrected(archives, corrections)
    ]


def test_one_archive(tmp_path: Path) -> None:
    lists = [archive(tmp_path, "one.csv")]
    assert outcomes(lists, fixes(tmp_path, "a.jpg,other", "missing.jpg,other")) == [["other", "clear"]]


def test_each_of_several_archives_by_its_name(tmp_path: Path) -> None:
    lists = [archive(tmp_path, "one.csv"), archive(tmp_path, "two.csv")]
    found = outcomes(lists, fixes(tmp_path, f"table {tmp_path.name}/two.csv/b.jpg,no_drop"))
    assert found == [["clear", "clear"], ["clear", "no_drop"]]


def test_a_dataset_says_how_many_labels_people_corrected(tmp_path: Path) -> None:
    lists = [archive(tmp_path, "one.csv"), archive(tmp_path, "two.csv")]
    names = sources_of(lists)
    assert names == (lists[0].name, lists[1].name)
    fixed = corrected(lists[:1], fixes(tmp_path, "a.jpg,other", "b.jpg,no_drop"))
    assert sources_of(fixed) == (names[0], "2 labels corrected by people")


def test_they_can_be_read_twice(tmp_path: Path) -> None:
    [once] = corrected([archive(tmp_path, "one.csv")], fixes(tmp_path, "a.jpg,other"))
    assert list(map(str, once.images())) == list(map(str, once.images()))


def test_what_the_page_gave_is_to_be_checked_first(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,well,old,new\na.png,A1,clear,other\n")
    with pytest.raises(UserError, match=r"c\.csv is as the review's page gave it; .* review apply"):
        corrected([], tmp_path / "c.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [("none.jpg,other", "1 corrections are of images that no archive has, first none.jpg"), ("a.jpg,rim", "line 2")],
)
def test_corrections_of_nothing_are_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        outcomes([archive(tmp_path, "one.csv")], fixes(tmp_path, line))
