"""The experts of a panel, and the answers of each: a file for each of them, written whole at every answer."""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from crystal_search.archives.csv_rows import read_rows
from crystal_search.columns import csv_text
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.panel.panel_set import CLASSES, PanelSet
from crystal_search.panel.showing_order import shown_to
from crystal_search.server.locks import FileLock

EXPERTS_FILE, ANSWERS = "experts.json", "answers"
FORMAT, VERSION = "crystal-search panel experts", 1
COLUMNS = ("place", "file", "person", "answer", "answered_at")
TOKEN_BYTES = 16
MAX_EXPERTS, MAX_NAME = 500, 60
LOCK, PATIENCE_S = ".inviting", 10.0
OWNER_ONLY = 0o600  #: whoever reads the links can answer for their owners


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """A person who looks at the images of a panel."""

    name: str
    token: str  #: ends the address of their page; nobody else knows it


def named(text: str) -> str:
    """Return the name of an expert as it is kept.

    Raises
    ------
    UserError
        If it is empty, too long, or has signs that cannot be printed.

    >>> named("  Ada Lovelace ")
    'Ada Lovelace'
    """
    name = " ".join(text.split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise UserError(f"a name has 1 to {MAX_NAME} printable characters, got {text!r:.80}")
    return name


def read_experts(folder: Path) -> tuple[Expert, ...]:
    """Return the experts of a panel in the order in which they were invited.

    Raises
    ------
    UserError
        If the list cannot be used.
    """
    try:
        data = (folder / EXPERTS_FILE).read_bytes()
    except FileNotFoundError:
        return ()
    return read_whole(data, str(folder / EXPERTS_FILE), UserError, _experts)


def _experts(read: Reader) -> tuple[Expert, ...]:
    read.format(FORMAT, VERSION)
    return read.objects("experts", lambda each: Expert(name=each.text("name"), token=each.text("token")), limit=1000)


def invite(folder: Path, names: Iterable[str]) -> tuple[Expert, ...]:
    """Add experts to a panel, and return all it has; who is there already keeps the link.

    Raises
    ------
    UserError
        If a name cannot be one, or there are too many.
    """
    with FileLock(folder / LOCK, "another invitation", patience_s=PATIENCE_S):
        known = list(read_experts(folder))
        for name in map(named, names):
            if name.casefold() not in [each.name.casefold() for each in known]:
                known.append(Expert(name=name, token=secrets.token_urlsafe(TOKEN_BYTES)))
        if len(known) > MAX_EXPERTS:
            raise UserError(f"a panel has at most {MAX_EXPERTS} experts")
        listed = [asdict(each) for each in known]
        path = folder / EXPERTS_FILE
        write_whole(path, json.dumps({"format": FORMAT, "version": VERSION, "experts": listed}, indent=1) + "\n")
        path.chmod(OWNER_ONLY)
    return tuple(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an expert called one showing of an image."""

    answer: str  #: one of `CLASSES`
    answered_at: str  #: ISO 8601, UTC


class AnswerSheet:
    """The answers of one expert; the last one at a place counts.

    The file is written anew with every answer, whole or not at all: after a power cut it holds all answers that the
    expert was told are kept.
    """

    def __init__(self, folder: Path, number: int, expert: Expert, panel: PanelSet) -> None:
        """Read what is there.

        Raises
        ------
        UserError
            If the file is of another expert or another panel, or cannot be read.
        """
        self.expert = expert
        self.shown = shown_to(expert.name, panel)  #: position of the image at each place
        self._files = [panel.images[at].file for at in self.shown]
        self._path = folder / ANSWERS / f"{number:02d}.csv"
        self._lock = Lock()
        self._answers = dict(self._read()) if self._path.exists() else {}

    @property
    def answers(self) -> Mapping[int, Answer]:
        """By place, from 0."""
        return dict(self._answers)

    def put(self, place: int, answer: str) -> int:
        """Keep an answer; return how many places have one once it is on the disk.

        Raises
        ------
        UserError
            If there is no such place or class.
        """
        if not 0 <= place < len(self.shown) or answer not in CLASSES:
            raise UserError(f"place {place} of {len(self.shown)}, answer {answer!r}: there is no such thing")
        with self._lock:
            given = Answer(answer=answer, answered_at=datetime.now(UTC).isoformat(timespec="seconds"))
            answers = dict(sorted({**self._answers, place: given}.items()))
            self._path.parent.mkdir(exist_ok=True)
            write_whole(self._path, self._text(answers))
            self._answers = answers
        return len(answers)

    def _text(self, answers: Mapping[int, Answer]) -> str:
        rows = (
            (place + 1, self._files[place], self.expert.name, each.answer, each.answered_at)
            for place, each in answers.items()
        )
        return csv_text(COLUMNS, (dict(zip(COLUMNS, row, strict=True)) for row in rows))

    def _read(self) -> Iterable[tuple[int, Answer]]:
        for row in read_rows(self._path, {name: (name,) for name in COLUMNS}, COLUMNS):
            place = int(row["place"]) - 1 if row["place"].isdecimal() else -1
            expected = (self._files[place], self.expert.name) if 0 <= place < len(self._files) else None
            if (row["file"], row["person"]) != expected or row["answer"] not in CLASSES:
                raise UserError(f"{self._path} line {row.line} is of another panel or expert; put the right file there")
            yield place, Answer(answer=row["answer"], answered_at=row["answered_at"])


def sheets_of(folder: Path, panel: PanelSet) -> tuple[AnswerSheet, ...]:
    """Return the answers of every expert of a panel."""
    experts = read_experts(folder)
    return tuple(AnswerSheet(folder, number, each, panel) for number, each in enumerate(experts, start=1))
