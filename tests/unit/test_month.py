"""The simulated month keeps its books."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.month import Lab, Month, machines

SMALL = Lab(images=5000, hosts=4, processors=2, on_share=0.5, max_queue=50)


LABS = st.builds(
    Lab,
    images=st.just(700),
    hosts=st.integers(2, 6),
    processors=st.just(2),
    on_share=st.just(0.5),
    max_queue=st.just(50),
    quorum=st.integers(1, 2),
    lost=st.floats(0, 0.2),
    bad=st.floats(0, 0.3),
    images_per_unit=st.integers(1, 40),
)


@settings(max_examples=30, deadline=None)
@given(lab=LABS, seed=st.integers(0, 100))
def test_every_image_is_scored_or_given_up_once(lab: Lab, seed: int) -> None:
    month = Month(lab, seed).run()
    assert month.scored + month.given_up == 700
    assert month.copies * lab.images_per_unit >= 700 * lab.quorum
    assert 0 < month.busy <= 1.0000001


def test_hosts_that_are_always_on_and_never_fail_are_as_fast_as_arithmetic_says() -> None:
    lab = replace(
        SMALL,
        images=6400,
        hosts=2,
        processors=4,
        quorum=1,
        lost=0,
        bad=0,
        on_share=0.9999,
        on_hours=1e6,
        max_queue=1000,
    )
    month = Month(lab).run()
    seconds = 100 * (lab.overhead_s + 64 * lab.cpu_s_per_image) / 8
    assert month.days * 86_400 == pytest.approx(seconds, rel=0.15)
    assert month.copies == 100


def test_the_same_seed_gives_the_same_month() -> None:
    assert Month(SMALL, 3).run() == Month(SMALL, 3).run()


def test_two_copies_of_a_work_unit_go_to_two_hosts() -> None:
    month = Month(replace(SMALL, hosts=1, quorum=1)).run()
    assert month.copies >= 5000 / 64
    assert machines(replace(SMALL, images=50_000)) >= 2
