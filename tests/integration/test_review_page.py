"""The page of doubted labels in a real browser, opened from a file, without a server."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import ChopRow
from crystal_search.main import main
from crystal_search.networks.network_kinds import build
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.review.corrections import Correction, read_corrections
from crystal_search.review.doubts import DoubtedChop, Suspect
from crystal_search.review.review_page import Pictures, Review, ShownChop, write_page
from crystal_search.server.installation import opened as opened_site
from crystal_search.training.checkpoints import save_checkpoint
from crystal_search.training.run_record import RunRecord, write_run
from tests.acceptance.browser import chromium, needs_chromium
from tests.unit.dataset_files import coarse, write_dataset
from tests.viewer_site import add_plate, auto_score, hand_score

SIZE = {"width": 1280, "height": 900}
NASTY = 'plate </script><b>1</b>, "A"/ü.jpg'
#: x of the first and of the last character of the first name in the list.
WHERE_THEY_STAND = """() => {
  const text = document.createTreeWalker(document.querySelector("li .name"), NodeFilter.SHOW_TEXT).nextNode();
  return [0, text.length - 1].map((at) => {
    const range = document.createRange();
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    return range.getBoundingClientRect().left;
  });
}"""

in_browser = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser profile in which nothing may go wrong, and no host may be asked for anything."""
    context = browser.new_context(viewport=SIZE, accept_downloads=True)  # type: ignore[arg-type]
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else troubles.append(request.url))
    yield page
    context.close()
    assert [trouble for trouble in troubles if not trouble.startswith("blob:")] == []


def chop(image: str) -> DoubtedChop:
    row = ChopRow(
        key=image, outcome="clear", image=image, well="W1", plate="P1", top=0, left=0, chop_top=0, chop_left=0,
        contours=0, shard="", parts="",
    )  # fmt: skip
    return DoubtedChop(row=row, says="other", probability=0.9, loss=3.0)


def suspect(image: str, suggestion: str) -> Suspect:
    return Suspect(
        image=image, well="W1", plate="P1", outcome="clear", suggestion=suggestion, probability=0.9, loss=3.0,
        chops=(chop(image),),
    )  # fmt: skip


def review_of(folder: Path, images: list[str], suggestion: str = "spherulites") -> Path:
    (folder / "thumbs").mkdir(parents=True, exist_ok=True)
    (folder / "thumbs/1.jpg").write_bytes((Path(__file__).parents[1] / "golden/well.jpg").read_bytes())
    found = [suspect(image, suggestion) for image in images]
    shown = [
        Pictures("thumbs/1.jpg", 0.84, (ShownChop("thumbs/1.jpg", (0, 0, 0.2, 0.2), chop(each)),)) for each in images
    ]
    review = Review(
        run="runs/x", data="data", split="train", looked_through=900, scheme=SCHEMES["outcomes-13"], suspects=found,
        pictures=shown,
    )  # fmt: skip
    return write_page(folder, review)


def opened(page: Page, path: Path) -> Page:
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]")
    return page


def downloaded(page: Page, tmp_path: Path) -> dict[str, Correction]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download corrected CSV").click()
    assert download.value.suggested_filename == "corrections.csv"
    download.value.save_as(tmp_path / "corrections.csv")
    return read_corrections(tmp_path / "corrections.csv")


class TestKeys:
    pytestmark = in_browser

    def test_enter_accepts_and_goes_on(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, ["a.jpg", "b.jpg", "c.jpg"]))
        page.keyboard.press("Enter")
        expect(page.locator("#title b")).to_have_text("b.jpg")
        expect(page.locator("#count")).to_have_text("1 of 3 looked at, 1 changed")
        assert downloaded(page, tmp_path)["a.jpg"] == Correction("a.jpg", "W1", "clear", "spherulites")

    def test_every_class_has_a_key_and_a_letter(self, page: Page, tmp_path: Path) -> None:
        names = [*(name for name in OUTCOME_NAMES if name not in ("rim", "clear")), "no_drop"]
        keys = ["1", "2", "3", "Shift+P", "5", "6", "7", "8", "Shift+S", "0", "v", "x"]
        opened(page, review_of(tmp_path, [f"{name}.jpg" for name in names]))
        for key in keys:
            page.keyboard.press(key)
        assert {each.image: each.new for each in downloaded(page, tmp_path).values()} == {
            f"{name}.jpg": name for name in names
        }

    def test_arrows_move_s_skips_and_u_takes_back(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, ["a.jpg", "b.jpg", "c.jpg"]))
        for key in ("ArrowRight", "s", "ArrowDown", "ArrowLeft", "1", "ArrowLeft"):
            page.keyboard.press(key)
        expect(page.locator("#title b")).to_have_text("b.jpg")
        expect(page.locator("#decision")).to_have_text("HCrystals, harvestable")
        page.keyboard.press("u")
        expect(page.locator("#decision")).to_have_text("none yet")
        expect(page.locator("#count")).to_have_text("0 of 3 looked at, 0 changed")

    def test_the_label_itself_is_no_change_and_neither_is_a_skip(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, ["a.jpg", "b.jpg"]))
        page.keyboard.press("c")
        page.keyboard.press("s")
        expect(page.locator("#count")).to_have_text("2 of 2 looked at, 0 changed")
        assert downloaded(page, tmp_path) == {}

    def test_n_leads_to_the_next_that_nobody_decided(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, ["a.jpg", "b.jpg", "c.jpg"]))
        page.keyboard.press("ArrowRight")
        page.keyboard.press("s")
        page.keyboard.press("n")
        expect(page.locator("#title b")).to_have_text("a.jpg")

    def test_the_mouse_does_the_same(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, ["a.jpg", "b.jpg"]))
        page.get_by_role("button", name="b.jpg").click()
        page.get_by_role("button", name="Precipitate, bad").click()
        assert downloaded(page, tmp_path)["b.jpg"].new == "precipitate_bad"

    def test_names_that_begin_with_numbers_read_from_left_to_right(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, ["00016.jpg"]))
        number, ending = page.evaluate(WHERE_THEY_STAND)
        assert number < ending


class TestKept:
    pytestmark = in_browser

    def test_a_reload_loses_nothing(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, ["a.jpg", "b.jpg", "c.jpg"]))
        page.keyboard.press("Enter")
        page.keyboard.press("s")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#count")).to_have_text("2 of 3 looked at, 1 changed")
        expect(page.locator("#title b")).to_have_text("c.jpg")
        assert list(downloaded(page, tmp_path)) == ["a.jpg"]

    def test_another_review_starts_anew(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path / "one", ["a.jpg", "b.jpg"]))
        page.keyboard.press("Enter")
        opened(page, review_of(tmp_path / "two", ["a.jpg", "c.jpg"]))
        expect(page.locator("#count")).to_have_text("0 of 2 looked at, 0 changed")

    def test_a_browser_that_keeps_nothing_is_told_of(self, page: Page, tmp_path: Path) -> None:
        page.add_init_script("Storage.prototype.setItem = () => { throw new Error('full'); }")
        opened(page, review_of(tmp_path, ["a.jpg", "b.jpg"]))
        expect(page.locator("#trouble")).to_be_visible()
        page.keyboard.press("Enter")
        assert list(downloaded(page, tmp_path)) == ["a.jpg"]


class TestNames:
    pytestmark = in_browser

    def test_names_are_text_and_come_back_as_they_were(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, [NASTY, "b.jpg"]))
        expect(page.locator("#title b")).to_have_text(NASTY)
        page.keyboard.press("Enter")
        assert list(downloaded(page, tmp_path)) == [NASTY]


class TestSize:
    pytestmark = in_browser

    def test_of_a_thousand_images_few_are_drawn_anew_by_a_decision(self, page: Page, tmp_path: Path) -> None:
        opened(page, review_of(tmp_path, [f"{number:04d}.jpg" for number in range(1000)]))
        drawn = page.evaluate("""async () => {
            let drawn = 0;
            const observer = new MutationObserver((changes) => {
                for (const change of changes) drawn += change.addedNodes.length;
            });
            observer.observe(document.body, { childList: true, subtree: true });
            const press = { key: "Enter", code: "Enter" };
            for (let i = 0; i < 100; i++) document.dispatchEvent(new KeyboardEvent("keydown", press));
            await new Promise((resolve) => setTimeout(resolve, 0));
            return drawn;
        }""")
        expect(page.locator("#count")).to_have_text("100 of 1000 looked at, 100 changed")
        assert 100 <= drawn < 100 * 100


def run_folder(folder: Path) -> Path:
    torch.manual_seed(0)
    network = build("squeezenet", 13)
    save_checkpoint(folder, 1, network, torch.optim.AdamW(network.parameters()), {})
    record = RunRecord(
        role="classifier", architecture="squeezenet", classes=OUTCOME_NAMES, normalisation="local-contrast-1",
        working_width_px=1224, data="data", task="chops", command="crystal-search train chops", seed=0,
    )  # fmt: skip
    write_run(folder, record)
    return folder


class TestCommand:
    def test_it_writes_a_page_and_its_pictures(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data, out = write_dataset(tmp_path / "data"), tmp_path / "review"
        words = ["review", str(run_folder(tmp_path / "run")), "--data", str(data), "--out", str(out), "--top", "5"]
        assert main(words) == 0
        assert "5 of 12 images to look at" in capsys.readouterr().out
        text = (out / "index.html").read_text()
        shown = json.loads(text.split('id="data">')[1].split("</script>")[0])["items"]
        assert len(shown) == 5
        assert [each["loss"] for each in shown] == sorted((each["loss"] for each in shown), reverse=True)
        for each in shown:
            for picture in each["chops"]:
                assert (out / picture["file"]).read_bytes().startswith(b"\xff\xd8")
        assert main(words) == 2
        assert "holds a review already" in capsys.readouterr().err

    def test_labels_too_coarse_for_the_network_are_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data, run = write_dataset(tmp_path / "data", about=coarse()), run_folder(tmp_path / "run")
        assert main(["review", str(run), "--data", str(data), "--out", str(tmp_path / "review")]) == 2
        assert "classes apart, the labels of" in capsys.readouterr().err
        assert not (tmp_path / "review").exists()

    def test_a_split_without_chops_is_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = write_dataset(tmp_path / "data", {"train": {"clear": 1}})
        words = ["review", str(run_folder(tmp_path / "run")), "--data", str(data), "--out", str(tmp_path / "review")]
        assert main([*words, "--split", "test"]) == 2
        assert "the split test of" in capsys.readouterr().err
        assert not (tmp_path / "review").exists()


class TestDisagreements:
    def test_as_many_as_are_wanted_are_listed_the_surest_first(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with opened_site(tmp_path / "home") as site:
            drops = add_plate(site.imaging, tmp_path / "images")
            ids = [drop.image.id for drop in drops]
            site.imaging.add_auto_scores([auto_score(ids[0], "clear", 0.9), auto_score(ids[1], "clear", 0.99)])
            for each in ids[:3]:
                site.imaging.add_manual_score(hand_score(each, "crystal_bad_form"))
        out = tmp_path / "list.csv"
        words = ["review", "disagreements", "--home", str(tmp_path / "home"), "--out", str(out)]
        assert main([*words, "--top", "1"]) == 0
        assert "1 of 2 images on which opinions differ" in capsys.readouterr().out
        with out.open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert (row["image_id"], row["auto_outcome"], row["auto_probability"]) == (str(ids[1]), "clear", "0.99")
        assert (row["manual_outcome"], row["second_group"]) == ("crystal_bad_form", "")
        assert main([*words, "--against", "second"]) == 0
        assert "0 of 0 images" in capsys.readouterr().out

    def test_what_does_not_belong_to_it_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["review", "disagreements", "--home", str(tmp_path / "none"), "--out", str(tmp_path / "list.csv")]
        assert main(words) == 2
        assert "no Crystal Search installation" in capsys.readouterr().err
        assert main([*words, "--top", "0"]) == 2
        assert "usage: " in capsys.readouterr().err
