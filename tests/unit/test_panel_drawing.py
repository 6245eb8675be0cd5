"""Which images a panel is shown, in which order, and what is kept of the answers."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.errors import UserError
from crystal_search.panel.drawing_panel import make_panel
from crystal_search.panel.experts import AnswerSheet, invite, named, read_experts, sheets_of
from crystal_search.panel.machine_answers import NONE_OF_THEM, in_ledger, in_list, recipe_names
from crystal_search.panel.panel_set import CLASSES, PanelImage, PanelSet, read_set, write_set
from crystal_search.panel.rater_agreement import NO_ANSWER
from crystal_search.panel.showing_order import showing_order, shown_to
from crystal_search.panel.time_courses import Seen, drawn_set, in_database, in_lists, one_of_each
from tests.memory_imaging import MemoryImaging
from tests.recipes import by_readout, made_by
from tests.viewer_site import add_plate, auto_score, picture, score_plate

OUTCOMES = ("crystal_bad_form", "precipitate", "spherulites", "clear")


def seen(well: int, inspection: int, outcome: str = "clear", plate: str = "P1") -> Seen:
    path = f"/{plate}/{well}-{inspection}.jpg"
    return Seen(plate=plate, well=f"A{well:02d}", drop=1, inspection=inspection, path=path, outcome=outcome)


def image(number: int, image_id: int = 0) -> PanelImage:
    file, path = f"images/{number:04d}.jpg", f"/p/{number}.jpg"
    return PanelImage(
        file=file, path=path, image_id=image_id, plate="P", well="A01", drop=1, inspection=2, drawn_as="clear"
    )


def panel_of(count: int, repeats: int = 0) -> PanelSet:
    images = tuple(map(image, range(count)))
    return PanelSet(name="Panel", drawn_at="2026-01-01T00:00:00+00:00", seed=3, repeats=repeats, images=images)


class TestDrawing:
    def test_one_image_of_each_drop_among_the_inspections(self) -> None:
        images = [seen(well, inspection) for well in range(50) for inspection in range(1, 12)]
        found = list(one_of_each(images, range(2, 8), np.random.default_rng(0)))
        assert len({each.well for each in found}) == len(found) == 50
        assert {each.inspection for each in found} == set(range(2, 8))

    def test_a_drop_that_was_seen_once_is_no_time_course(self) -> None:
        images = [seen(1, 2), seen(2, 1), seen(2, 3), seen(3, 1), seen(3, 9)]
        assert [each.well for each in one_of_each(images, range(2, 8), np.random.default_rng(0))] == ["A02"]

    def test_what_has_no_class_is_never_drawn_but_counts_as_an_inspection(self) -> None:
        images = [seen(1, 1, "no_drop"), seen(1, 2, "unreadable"), seen(1, 3, "clear")]
        assert [each.inspection for each in one_of_each(images, range(2, 8), np.random.default_rng(0))] == [3]

    def test_as_many_of_each_class(self) -> None:
        images = [
            seen(well, inspection, OUTCOMES[well % 4 if well < 20 else 3])
            for well in range(80)
            for inspection in (1, 2)
        ]
        found = drawn_set(images, count=20, inspections=range(2, 8), seed=0)
        assert [sum(each.drawn_as == name for each in found.images) for name in CLASSES] == [5, 5, 5, 5]
        assert found.courses == 80
        assert dict(found.available) == {"crystal": 5, "precipitate": 5, "other": 5, "clear": 65}
        assert found.images == drawn_set(images, count=20, inspections=range(2, 8), seed=0).images
        assert found.images != drawn_set(images, count=20, inspections=range(2, 8), seed=1).images
        assert [each.drawn_as for each in found.images] != sorted(each.drawn_as or "" for each in found.images)

    def test_a_rare_class_gives_all_it_has(self) -> None:
        images = [seen(well, inspection, OUTCOMES[0 if well < 2 else 3]) for well in range(80) for inspection in (1, 2)]
        found = drawn_set(images, count=40, inspections=range(2, 8), seed=0)
        assert [sum(each.drawn_as == name for each in found.images) for name in CLASSES] == [2, 0, 0, 10]

    def test_nothing_to_draw_is_said(self) -> None:
        with pytest.raises(UserError, match="no drop has 2 inspections or more"):
            drawn_set([seen(1, 1)], count=4, inspections=range(2, 8), seed=0)

    def test_from_an_installation(self, tmp_path: Path) -> None:
        imaging = MemoryImaging()
        for inspection in (1, 2):
            score_plate(imaging, add_plate(imaging, tmp_path, inspection=inspection), [*OUTCOMES, "no_drop", ""])
        found = list(in_database(imaging))
        assert [(each.well, each.inspection, each.outcome) for each in found[:2]] == [
            ("A01", 1, OUTCOMES[0]),
            ("A02", 1, OUTCOMES[1]),
        ]
        assert len(found) == 10
        assert all(each.image_id for each in found)

    def test_from_lists(self, tmp_path: Path) -> None:
        lines = ["plate,well,drop,inspection,path,outcome", "P2,A01,1,2,/x/2.jpg,clear", "P1,C07,2,1,1.jpg,no_drop"]
        (tmp_path / "scores.csv").write_text("\n".join(lines))
        first, second = in_lists([tmp_path / "scores.csv"])
        assert (first.plate, first.well, first.drop, first.path) == ("P1", "C07", 2, str(tmp_path / "1.jpg"))
        assert second.path == "/x/2.jpg"
        (tmp_path / "scores.csv").write_text("\n".join([lines[0], "P2,A01,one,2,/x/2.jpg,clear"]))
        with pytest.raises(UserError, match="line 2: drop and inspection must be whole numbers"):
            list(in_lists([tmp_path / "scores.csv"]))


class TestOrder:
    @given(images=st.integers(1, 60), share=st.floats(0, 1), seed=st.integers(0, 99))
    def test_everything_once_and_repeats_far_away(self, images: int, share: float, seed: int) -> None:
        repeats = int(share * images)
        order = showing_order(images, repeats, np.random.default_rng(seed))
        places = [[place for place, each in enumerate(order) if each == image] for image in range(images)]
        assert sorted(map(len, places)) == sorted([2] * repeats + [1] * (images - repeats))
        apart = [after - before for before, after in (each for each in places if len(each) == 2)]
        assert all(each >= images // 4 for each in apart)

    def test_repeats_are_not_all_at_the_end(self) -> None:
        order = showing_order(100, 20, np.random.default_rng(0))
        again = [place for place, each in enumerate(order) if each in order[:place]]
        assert min(again) < 65
        assert len(set(order[100:])) > len([place for place in again if place >= 100])

    def test_every_expert_has_an_order_and_keeps_it(self) -> None:
        panel = panel_of(40, 4)
        assert shown_to("Ada", panel) == shown_to("Ada", panel) != shown_to("Bob", panel)


class TestFolder:
    def test_pictures_go_by_names_that_say_nothing(self, tmp_path: Path) -> None:
        there = [picture(tmp_path / "in" / f"P9_{name}.jpg") for name in ("A01", "B02")]
        images = [Seen(plate="P9", well="A01", drop=1, inspection=2, path=str(path), outcome="clear") for path in there]
        panel = make_panel(tmp_path / "out", "Mine", [*images, seen(1, 2)], seed=1, repeats=9)
        assert [each.file for each in panel.images] == ["images/0001.jpg", "images/0002.jpg"]
        assert (tmp_path / "out/images/0002.jpg").read_bytes() == there[1].read_bytes()
        assert panel.repeats == 2
        assert read_set(tmp_path / "out") == panel

    def test_no_panel_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="holds no panel"):
            read_set(tmp_path)
        write_set(tmp_path, panel_of(2))
        (tmp_path / "panel.json").write_text((tmp_path / "panel.json").read_text().replace('"clear"', '"nice"'))
        with pytest.raises(UserError, match="drawn_as must be one of crystal, precipitate, other, clear"):
            read_set(tmp_path)


class TestExperts:
    def test_a_link_is_kept_and_belongs_to_one_name(self, tmp_path: Path) -> None:
        ada, bob = invite(tmp_path, ["Ada", " Bob  B. "])
        assert (ada.name, bob.name) == ("Ada", "Bob B.")
        assert invite(tmp_path, ["ada", "Cy"])[:2] == (ada, bob)
        assert len({each.token for each in read_experts(tmp_path)}) == 3
        assert all(re.fullmatch(r"[\w-]{22}", each.token) for each in read_experts(tmp_path))
        assert (tmp_path / "experts.json").stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("name", ["", "  ", "A" * 61, "A\x00da"])
    def test_what_is_no_name_is_refused(self, name: str) -> None:
        with pytest.raises(UserError, match="a name has 1 to 60 printable characters"):
            named(name)


class TestAnswers:
    @pytest.fixture
    def sheet(self, tmp_path: Path) -> AnswerSheet:
        (ada,) = invite(tmp_path, ["Ada"])
        return AnswerSheet(tmp_path, 1, ada, panel_of(6, 2))

    def test_they_are_on_the_disk_and_the_last_counts(self, sheet: AnswerSheet, tmp_path: Path) -> None:
        assert [sheet.put(3, "clear"), sheet.put(0, "other"), sheet.put(3, "crystal")] == [1, 2, 2]
        (again,) = sheets_of(tmp_path, panel_of(6, 2))
        assert {place: each.answer for place, each in again.answers.items()} == {0: "other", 3: "crystal"}
        assert again.shown == sheet.shown

    @pytest.mark.parametrize(("place", "answer"), [(8, "clear"), (-1, "clear"), (0, "crystals")])
    def test_what_cannot_be_is_not_kept(self, sheet: AnswerSheet, place: int, answer: str) -> None:
        with pytest.raises(UserError, match="there is no such thing"):
            sheet.put(place, answer)
        assert not sheet.answers

    def test_a_full_disk_keeps_what_was_there(
        self, sheet: AnswerSheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sheet.put(0, "clear")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("crystal_search.panel.experts.write_whole", full)
        with pytest.raises(OSError, match="No space"):
            sheet.put(1, "other")
        assert list(sheet.answers) == [0]
        assert list(sheets_of(tmp_path, panel_of(6, 2))[0].answers) == [0]

    def test_answers_to_another_panel_are_refused(self, sheet: AnswerSheet, tmp_path: Path) -> None:
        for place in range(6):
            sheet.put(place, "clear")
        with pytest.raises(UserError, match="is of another panel or expert"):
            sheets_of(tmp_path, panel_of(9, 2))


class TestMachines:
    def test_the_last_score_of_each_recipe(self, tmp_path: Path) -> None:
        imaging = MemoryImaging()
        drops = add_plate(imaging, tmp_path, rows=1)
        score_plate(imaging, drops, ["clear", "no_drop", ""])
        imaging.add_auto_scores([auto_score(drops[0].image.id, "spherulites", minute=5)])
        images = tuple(image(number, drop.image.id) for number, drop in enumerate(drops))
        panel = PanelSet(name="", drawn_at="", seed=0, repeats=0, images=images)
        (found,) = in_ledger(imaging, panel)
        assert found.name == "test-net"
        assert found.answers.tolist() == [CLASSES.index("other"), NONE_OF_THEM, NO_ANSWER]

    def test_recipes_are_told_apart(self) -> None:
        recipes = [made_by("x", "a"), made_by("x", "a", threshold=0.5), made_by("y", "a"), made_by("x", "c")]
        names = recipe_names(recipes)
        assert names[1:3] == ["x, 0.5", "y"]
        assert names[0] == f"x, 0.85, {'a' * 8}-{'b' * 8}"
        assert len(set(names)) == 4

    def test_a_list_of_the_panels_own_pictures_or_of_their_sources(self, tmp_path: Path) -> None:
        panel = panel_of(3)
        (tmp_path / "own.csv").write_text(
            "path,outcome\nimages/0001.jpg,clear\n/p/2.jpg,crystal_harvestable\nz.jpg,clear\n"
        )
        assert in_list("x", tmp_path / "own.csv", tmp_path, panel).answers.tolist() == [NO_ANSWER, 3, 0]
        (tmp_path / "own.csv").write_text("path,outcome\nz.jpg,clear\n")
        with pytest.raises(UserError, match="has no image of this panel"):
            in_list("x", tmp_path / "own.csv", tmp_path, panel)

    def test_a_list_says_what_it_does_not_know_and_nothing_of_its_own(self, tmp_path: Path) -> None:
        path, panel = tmp_path / "own.csv", panel_of(3)
        path.write_text("path,outcome\n/p/0.jpg,no_drop\n/p/1.jpg,not_scored\n/p/2.jpg,unreadable\n")
        assert in_list("x", path, tmp_path, panel).answers.tolist() == [NONE_OF_THEM, NO_ANSWER, NONE_OF_THEM]
        path.write_text("path,outcome\n/p/0.jpg,clear\n/p/1.jpg,dunno\n")
        with pytest.raises(UserError, match="line 3: nobody knows the outcome 'dunno'"):
            in_list("x", path, tmp_path, panel)


def test_a_readout_is_called_by_its_name() -> None:
    recipe = made_by("wells-1")
    assert recipe_names([recipe, by_readout(recipe)]) == ["wells-1", "readout ours of wells-1"]
