"""The simulated month keeps its books."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.month import Lab, Month, Unit, machines

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
    given: list[tuple[Unit, int]] = []

    class Noting(Month):
        def _start(self, host: int, unit: Unit) -> None:
            given.append((unit, host))
            super()._start(host, unit)

    month = Noting(replace(SMALL, lost=0, bad=0)).run()
    hosts: dict[int, list[int]] = {}
    for unit, host in given:
        hosts.setdefault(id(unit), []).append(host)
    assert month.scored == 5000
    assert all(len(had) == len(set(had)) == 2 for had in hosts.values())


def test_one_machine_fewer_is_too_few() -> None:
    lab = replace(SMALL, images=2_000_000, cpu_s_per_image=3.0, max_queue=5000)
    number = machines(lab)
    assert number > 2
    assert Month(replace(lab, hosts=number)).run().days <= 30
    assert Month(replace(lab, hosts=number - 1)).run().days > 30
