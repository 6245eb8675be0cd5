"""Expressions that people invent: each name is matched, or given up in time, with all threads going on meanwhile."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

import psutil
import pytest

from crystal_search import matching
from crystal_search.matching import KEPT, Match, first_match
from crystal_search.name_parts import ReadName, Refused
from crystal_search.naming import Naming
from crystal_search.robot_names import read_name

LONG = "a" * 255

ENDLESS = (
    "([a-z]+)+_",
    "(a|aa)+$x",
    "(a|a)*b",
    ".*.*.*.*.*x",
    r"(a*)*\1b",
    r"(.+)+(.+)+\2x",
    "(?=(a+)+b)a",
    "(?:|a){1000000000}",
    "(?:){1000000000}b",
)


def matchers() -> list[psutil.Process]:
    """Return the processes that match for this one."""
    return [each for each in psutil.Process().children() if each.cmdline()[-1:] == [matching.__file__]]


def test_the_first_text_that_matches_counts() -> None:
    assert first_match("(?P<a>[0-9])?(?P<b>ü)", ("1", "ü", "2ü")) == Match("ü", {"a": None, "b": "ü"})
    assert first_match("x", ("y", "z", "xx")) is None


@pytest.mark.parametrize("pattern", ENDLESS)
def test_what_takes_without_end_is_given_up_and_the_next_one_matched(pattern: str) -> None:
    with pytest.raises(TimeoutError):
        first_match(pattern, ("aaa.jpg", LONG))
    assert first_match("a+", (LONG,)) == Match(LONG, {})


def test_a_name_that_takes_without_end_is_left_out_and_others_are_read() -> None:
    naming = Naming(convention="pattern", pattern=r"(?P<row>[A-H])(?P<column>\d)((?:_|[a-z]+)+)?\.jpg", plate="P1")
    found = read_name(f"/x/A1{LONG}", naming)
    assert isinstance(found, Refused)
    assert "write it without what can match the same characters in many ways" in found.reason
    assert isinstance(read_name("/x/B2_uv.jpg", naming), ReadName)


def test_every_thread_gets_its_own_answer() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: first_match("t[0-9]+", (f"t{number}",)), range(200)))
    assert [each and each.text for each in found] == [f"t{number}" for number in range(200)]


def test_one_process_matches_all_and_a_killed_one_is_begun_again() -> None:
    first_match("k", ("k0",))
    first_match("k", ("k1",))
    (matcher,) = matchers()
    matcher.kill()
    with pytest.raises(TimeoutError):
        first_match("k", ("k2",))
    assert first_match("k.", ("k3",)) == Match("k3", {})


def test_names_of_a_plate_are_matched_once() -> None:
    texts = tuple(f"o{number}" for number in range(5))
    first_match("once.", texts)
    hits = first_match.cache_info().hits
    first_match("once.", texts)
    assert (first_match.cache_info().hits, first_match.cache_info().maxsize) == (hits + 1, KEPT)


def test_nothing_is_left_when_the_program_ends() -> None:
    words = ["import psutil", "from crystal_search.matching import first_match", "first_match('a', ('a',))"]
    program = "; ".join([*words, "print(psutil.Process().children()[0].pid)"])
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not psutil.pid_exists(int(done.stdout))


@pytest.mark.parametrize("glob", ["*a" * 60 + "*b", "*[a]" * 500 + "*b", "*?" * 500 + "b", "*" * 5000 + "b"])
def test_patterns_as_a_shells_end_by_themselves(glob: str) -> None:
    assert not fnmatchcase("a" * 4096, glob)
