"""Which images a review shows first, and what it says of them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import ChopRow, WellRow
from crystal_search.main import main
from crystal_search.networks.network_kinds import IMAGE_CLASSIFIERS, build
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.review.doubts import Suspect, image_suspects, suspects
from crystal_search.training.checkpoints import save_checkpoint
from crystal_search.training.chop_scores import ChopScores, labels_of
from crystal_search.training.image_scores import ImageScores
from crystal_search.training.run_record import RunRecord, write_run
from tests.tiny_training import TINY_IMAGE
from tests.unit.dataset_files import write_dataset

CLEAR, CRYSTAL, RIM = (OUTCOME_NAMES.index(name) for name in ("clear", "crystal_harvestable", "rim"))


def chop(image: str, outcome: str, number: int = 0) -> ChopRow:
    return ChopRow(
        key=f"{image}-{number}",
        outcome=outcome,
        image=image,
        well=f"well of {image}",
        plate="P1",
        top=0,
        left=0,
        chop_top=0,
        chop_left=0,
        contours=0.5,
        shard="",
        parts="",
    )


def scores(rows: list[ChopRow], sure_of: list[int], *, logit: float = 6.0, classes: int = 13) -> ChopScores:
    """Return scores of a network that gives `sure_of` each chop's class."""
    logits = np.zeros((len(rows), classes), np.float32)
    logits[np.arange(len(rows)), sure_of] = logit
    names = OUTCOME_NAMES if classes == 13 else SCHEMES["groups-4"].class_names
    return ChopScores(tuple(rows), logits, labels_of(rows, names))


def area_under_curve(values: list[float], hits: list[bool]) -> float:
    """Return how often a hit has a higher value than a miss, ties counting half."""
    high = np.array([value for value, hit in zip(values, hits, strict=True) if hit])[:, None]
    low = np.array([value for value, hit in zip(values, hits, strict=True) if not hit])
    return float(((high > low) + 0.5 * (high == low)).mean())


def noisy(generator: np.random.Generator, images: int) -> tuple[ChopScores, set[str]]:
    """Return chops of images of which a tenth have a wrong label; a third of all chops show something else."""
    rows, shows, flipped = [], [], set()
    for number in range(images):
        true, image = int(generator.integers(12)), f"{number}.jpg"
        label = true
        if number % 10 == 0:
            label = (true + int(generator.integers(1, 12))) % 12
            flipped.add(image)
        for each in range(int(generator.integers(3, 12))):
            rows.append(chop(image, OUTCOME_NAMES[label], each))
            shows.append(true if generator.random() < 0.67 else int(generator.integers(12)))
    found = scores(rows, shows)
    logits = found.logits + generator.normal(0, 1, found.logits.shape).astype(np.float32)
    return ChopScores(found.rows, logits, found.labels), flipped


def test_planted_noise_comes_first() -> None:
    found, flipped = noisy(np.random.default_rng(0), 400)
    ranked = suspects(found, OUTCOME_NAMES, {})
    assert area_under_curve([each.loss for each in ranked], [each.image in flipped for each in ranked]) > 0.97
    assert len({each.image for each in ranked[:40]} & flipped) >= 35


def test_the_mean_of_the_chops_finds_it_better_than_the_highest() -> None:
    found, flipped = noisy(np.random.default_rng(1), 400)
    ranked = suspects(found, OUTCOME_NAMES, {})
    hits = [each.image in flipped for each in ranked]
    by_mean = area_under_curve([each.loss for each in ranked], hits)
    by_highest = area_under_curve([each.chops[0].loss for each in ranked], hits)
    assert by_mean > by_highest + 0.05


def test_the_loss_of_an_image_is_the_mean_of_its_chops() -> None:
    [only] = suspects(scores([chop("a", "clear"), chop("a", "clear", 1)], [CLEAR, CRYSTAL]), OUTCOME_NAMES, {})
    right, wrong = np.log(np.exp(6) + 12) - 6, np.log(np.exp(6) + 12)  # 13 classes, one logit 6, the others 0
    assert only.loss == pytest.approx((right + wrong) / 2)
    assert [each.loss for each in only.chops] == pytest.approx([wrong, right])
    assert [each.says for each in only.chops] == ["crystal_harvestable", "clear"]
    assert (only.well, only.plate) == ("well of a", "P1")


def test_the_suggestion_is_that_of_the_rule_that_scores_wells() -> None:
    rows = [chop("a", "clear", number) for number in range(6)]
    [only] = suspects(scores(rows, [CLEAR] * 5 + [CRYSTAL]), OUTCOME_NAMES, {})
    assert (only.outcome, only.suggestion) == ("clear", "crystal_harvestable")  # one sure chop is enough
    assert only.probability == pytest.approx((np.exp(6) + 2) / (np.exp(6) + 12))


def test_no_image_is_suggested_to_be_a_rim() -> None:
    [only] = suspects(scores([chop("a", "other")], [RIM]), OUTCOME_NAMES, {})
    assert only.suggestion in ("clear", "clear_with_features")


@pytest.mark.parametrize(
    ("chops", "known", "label"),
    [
        (["rim", "rim", "clear"], {}, "clear"),
        (["rim", "rim"], {}, "clear"),
        (["rim", "clear_with_features"], {}, "clear_with_features"),
        (["rim", "rim"], {"a": "clear_with_features"}, "clear_with_features"),
    ],
)
def test_an_image_is_never_called_a_rim(chops: list[str], known: dict[str, str], label: str) -> None:
    rows = [chop("a", outcome, number) for number, outcome in enumerate(chops)]
    [only] = suspects(scores(rows, [CLEAR] * len(rows)), OUTCOME_NAMES, known)
    assert only.outcome == label


def test_a_coarse_network_doubts_no_label_within_its_classes() -> None:
    rows = [chop("bad", "precipitate_bad"), chop("missed", "clear_with_features")]
    found = suspects(scores(rows, [1, 0], logit=9, classes=4), SCHEMES["groups-4"].class_names, {})
    assert {each.image: each.suggestion for each in found} == {
        "bad": "precipitate_bad",
        "missed": "crystal_harvestable",
    }


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_chops_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    found, _ = noisy(generator, 12)
    order: NDArray[np.int64] = generator.permutation(len(found.rows))
    mixed = ChopScores(tuple(found.rows[place] for place in order), found.logits[order], found.labels[order])

    def told(each: Suspect) -> tuple[str, str, float]:
        return each.image, each.suggestion, round(each.loss, 6)

    assert [told(each) for each in suspects(mixed, OUTCOME_NAMES, {})] == [
        told(each) for each in suspects(found, OUTCOME_NAMES, {})
    ]


# Whole images


def whole(number: int, outcome: str) -> WellRow:
    return WellRow(key=str(number), outcome=outcome, image=f"{number}.jpg", well="W", plate="P", shard="", parts="")


def test_a_whole_image_counts_with_its_own_loss_and_has_no_chops() -> None:
    rows = (whole(0, "clear"), whole(1, "clear"), whole(2, "precipitate_bad"), whole(3, "crystal_bad_form"))
    names = SCHEMES["groups-4"].class_names
    logits = np.zeros((4, 4), np.float32)
    logits[np.arange(4), [3, 0, 1, 2]] = [6, 4, 5, 2]  # right, crystal, right, other
    found = image_suspects(ImageScores(rows, logits, labels_of(rows, names)), names)
    assert [each.image for each in found] == ["1.jpg", "3.jpg", "2.jpg", "0.jpg"]
    assert [each.suggestion for each in found] == ["crystal_harvestable", "other", "precipitate_bad", "clear"]
    assert found[0].loss == pytest.approx(np.log(3 + np.exp(4)))
    assert found[0].probability == pytest.approx(np.exp(4) / (3 + np.exp(4)))
    assert all(each.chops == () for each in found)


def test_a_training_on_whole_images_can_be_reviewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(IMAGE_CLASSIFIERS, TINY_IMAGE.name, TINY_IMAGE)
    data = write_dataset(tmp_path / "data", {}, wells={"train": {"clear": 2, "crystal_bad_form": 1, "no_drop": 1}})
    record = RunRecord(
        role="image", architecture=TINY_IMAGE.name, classes=SCHEMES["groups-4"].class_names, normalisation="rgb-1",
        working_width_px=64, data=str(data), task="images", command="typed", seed=0,
    )  # fmt: skip
    save_checkpoint(tmp_path / "run", 1, build(TINY_IMAGE.name, 4, 3), None, {})
    write_run(tmp_path / "run", record)
    words = ["review", str(tmp_path / "run"), "--data", str(data)]
    assert main([*words, "--out", str(tmp_path / "out"), "--top", "2"]) == 0
    assert "2 of 3 images to look at" in capsys.readouterr().out
    page = (tmp_path / "out" / "index.html").read_text()
    assert "thumbs/00001.jpg" in page
    assert '"chopCount":0' in page
    assert sorted(path.name for path in (tmp_path / "out" / "thumbs").iterdir()) == ["00001.jpg", "00002.jpg"]
    assert main([*words, "--out", str(tmp_path / "none"), "--split", "test"]) == 2
    assert "the split test of" in capsys.readouterr().err
