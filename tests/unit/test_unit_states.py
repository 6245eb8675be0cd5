"""A work unit's states: the one table, the page that tells it, and what a kill at any moment leaves."""

import ast
import os
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

import crystal_search.server
from crystal_search.server import unit_states
from crystal_search.server.home import Home, Place
from crystal_search.server.installation import Installation
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.finalize import finalize
from crystal_search.server.services.set_autoscore import set_autoscores
from crystal_search.server.services.validate import validate
from crystal_search.server.unit_states import (
    MOVES,
    OPEN,
    STATES,
    WITH_RESULT,
    State,
    is_in,
    move,
    names_in,
    place_of,
)
from tests.service_site import RECIPE, auto_scores, return_results, site_at

ROOT = Path(__file__).parents[2]
SERVER = Path(crystal_search.server.__file__).parent
NAME = "BOOKMARK-1-0123456789abcdef"

#: Moves that make something new instead of renaming it: a file is written whole, a client gets its folder.
MADE = {(State.GONE, State.QUEUED), (State.REFUSED, State.QUEUED), (State.QUEUED, State.RUNNING)}
#: Who the modules are that move anything.
WHO = {"create_work": "create-work", "reconcile": "create-work", "packing": "create-work"}


class Killed(BaseException):
    """What no code of ours expects."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path).made()


def put(home: Home, state: State) -> Path:
    """Put a work unit into a state."""
    path = place_of(home, NAME, state, "boinc")
    path.touch() if path.suffix == ".zip" else path.mkdir()
    return path


def killing(monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> Iterator[int]:
    """Have the process killed just before, or just after, its rename number `at`; return the numbers of renames."""
    numbers = count()

    def wrapped(real: Callable[..., None]) -> Callable[..., None]:
        def rename(*arguments: object, **options: object) -> None:
            number = next(numbers)
            if number == at and not after:
                raise Killed
            real(*arguments, **options)
            if number == at:
                raise Killed

        return rename

    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, wrapped(getattr(os, name)))
    return numbers


def test_the_page_tells_all_states_and_who_moves_what() -> None:
    rows = re.findall(
        r"^\| ([a-z ]+) \| `(\S+)` \| (.+) \| (.*) \|$", (ROOT / "docs" / "services.md").read_text(), re.M
    )
    told = [row for row in rows if row[0] in set(State)]
    assert [(name, where, holds) for name, where, holds, _ in told] == [
        (state, f"{row.folder}/{row.form}", row.holds) for state, row in STATES.items()
    ]
    moves = {(name, target): by for name, _, _, all_ in told for target, by in re.findall(r"([a-z ]+) \((.+?)\)", all_)}
    assert {(source, target.strip()): by for (source, target), by in moves.items()} == {
        (str(source), str(target)): ", ".join(by) for (source, target), by in MOVES.items()
    }


@pytest.mark.parametrize("place", Home.places(), ids=lambda place: place.below)
def test_the_page_tells_every_place_of_a_home(place: Place) -> None:
    below = place.below + "/" * (place.is_folder or place.below == "models")
    assert f"`{below}`" in (ROOT / "docs" / "architecture.md").read_text()


def moves_in(path: Path) -> Iterator[tuple[State, State]]:
    """Yield from where to where the calls of `move` in a module move something."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "move":
            source, target = node.args[2:4]
            assert isinstance(target, ast.Attribute)
            names = [source.attr] if isinstance(source, ast.Attribute) else ["SPOOLED", "ARCHIVED"]
            yield from ((State[name], State[target.attr]) for name in names)


def test_every_move_is_made_by_whom_the_table_says() -> None:
    made: dict[tuple[State, State], set[str]] = {each: set(MOVES[each]) for each in MADE}
    for path in SERVER.rglob("*.py"):
        who = "engine" if "engines" in path.relative_to(SERVER).parts else WHO.get(path.stem, path.stem)
        for each in moves_in(path):
            made.setdefault(each, set()).add(who)
    assert made == {each: set(by) for each, by in MOVES.items()}


def test_nobody_joins_the_folders_by_hand() -> None:
    folders = "|".join(("queue", "returned", "failed", "validated", "spool", "archive"))
    for path in SERVER.rglob("*.py"):
        by_hand = re.search(rf"home\.({folders})\b(?!\.below)", path.read_text())
        assert not by_hand or path.stem == "unit_states", path


def state_of(home: Home, name: str) -> State:
    """Return how far a work unit has got: the state of its result if there is one, else of its file."""
    return [state for state in State if state is State.GONE or is_in(home, name, state)][-1]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("source", "target"), [each for each in MOVES if each not in MADE])
def test_a_move_is_one_rename(
    home: Home, monkeypatch: pytest.MonkeyPatch, source: State, target: State, after: bool
) -> None:
    before = put(home, source)
    with monkeypatch.context() as patch:
        numbers = killing(patch, 0, after=after)
        with pytest.raises(Killed):
            move(home, NAME, source, target)
        assert next(numbers) == 1
    assert state_of(home, NAME) == (target if after else source)
    assert before.exists() is not after
    assert [state for state in State if state is not State.GONE and is_in(home, NAME, state)] == (
        [] if after and target is State.GONE else [target if after else source]
    )


def test_nothing_else_can_be_moved(home: Home) -> None:
    put(home, State.QUEUED)
    with pytest.raises(ValueError, match="nothing moves from queued to archived"):
        move(home, NAME, State.QUEUED, State.ARCHIVED)
    assert not move(home, NAME, State.SPOOLED, State.ARCHIVED)
    assert names_in(home, State.QUEUED) == [NAME]


def test_what_is_there_already_stays(home: Home) -> None:
    (put(home, State.SPOOLED) / "second").touch()
    (put(home, State.ARCHIVED) / "first").touch()
    assert not move(home, NAME, State.SPOOLED, State.ARCHIVED)
    assert [path.name for path in place_of(home, NAME, State.ARCHIVED).iterdir()] == ["first"]
    assert not names_in(home, State.SPOOLED)


def test_states_are_asked_in_the_order_in_which_work_moves(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[State] = []
    monkeypatch.setattr(unit_states, "_things", lambda home, name, state: asked.append(state))
    assert not is_in(home, NAME, State.ARCHIVED, State.VALIDATED, State.SPOOLED)
    assert asked == [State.VALIDATED, State.SPOOLED, State.ARCHIVED]


def one_pass(site: Installation) -> None:
    """Take every step once, with clients that answer at once."""
    create_work(site, RECIPE)
    return_results(site)
    validate(site.home)
    assimilate(site)
    finalize(site)
    set_autoscores(site)


def check_one_state_each(site: Installation) -> None:
    """No work unit has two results, and one that has none has a file, or can be packed again."""
    for unit in site.imaging.units("open"):
        results = [state for state in (State.RUNNING, *WITH_RESULT) if is_in(site.home, unit.name, state)]
        assert len(results) <= 1
        assert state_of(site.home, unit.name) in (results or [State.GONE, State.QUEUED])


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_rename_every_image_is_scored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    for number in count():
        (tmp_path / str(number)).mkdir()
        site = site_at(tmp_path / str(number), images=5)
        with monkeypatch.context() as patch:
            killing(patch, number, after=after)
            try:
                one_pass(site)
            except Killed:
                check_one_state_each(site)
            else:
                break
        for _ in range(2):
            one_pass(site)
        assert [len(found) for found in auto_scores(site).values()] == [1] * 5, number
        assert not site.imaging.units("open"), number
        rows = [line for path in site.home.scored.glob("*.csv") for line in path.read_text().splitlines()[1:]]
        assert len(rows) == 5, number
    assert number > 10


def test_killed_between_closing_and_moving_a_result_without_scores_it_moves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_at(tmp_path, images=1)
    create_work(site, RECIPE)
    return_results(site, unreadable=("1",))
    validate(site.home)
    close_unit = site.imaging.close_unit

    def close(*words: str) -> None:
        close_unit(*words)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(site.imaging, "close_unit", close)
        with pytest.raises(Killed):
            assimilate(site)
    assert names_in(site.home, State.VALIDATED)
    assert assimilate(site) == 1
    finalize(site)
    assert not any(names_in(site.home, state) for state in OPEN)
    assert len(names_in(site.home, State.ARCHIVED)) == 1
