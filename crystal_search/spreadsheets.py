"""Tables that people wrote or saved again: CSV as spreadsheets really write it, whatever encoding and separator."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import UserError

DELIMITERS = ",;\t"
MAX_BYTES = 500_000_000
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  #: how xlsx, ods and xls begin
_SEPARATOR = re.compile(r'"?sep=(.)"?[;,\t]*\r?\n', re.IGNORECASE)  #: a first line that Excel reads and writes
_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(,[0-9]{3})+")
_DOTTED_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(\.[0-9]{3})+")
_COMMA_CELL = re.compile(r'(?:^|;)"? *[-+]?[0-9]+,[0-9]+(?:[eE][-+]?[0-9]+)? *"?(?=;|\r?$)', re.MULTILINE)
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as it was written."""

    header: list[str]
    lines: Iterator[tuple[int, list[str]]]  #: number in the file, the first is 1, and cells; without empty lines
    delimiter: str
    has_commas: bool = False  #: whether semicolons divide columns and a number has a decimal comma


@contextmanager
def read_sheet(path: Path) -> Iterator[Sheet]:
    """Give the table in the file `path`.

    Raises
    ------
    UserError
        If it cannot be read, is a workbook, or is no table with commas, semicolons or tabs; while lines are read, too.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UserError(f"{path} has {size} bytes; a table has at most {MAX_BYTES}: divide it")
        data = path.read_bytes()
        if data.startswith(WORKBOOKS):
            raise UserError(f"{path} is a workbook; save it as CSV")
        yield _sheet(decoded(data))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a table that is there") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in {error.encoding} ({error.reason}), as it says; save it again") from error
    except csv.Error as error:
        raise UserError(f"{path} is no table with commas, semicolons or tabs: {error}; save it again") from error


def _sheet(text: str) -> Sheet:
    told = _SEPARATOR.match(text)
    body = text[told.end() :] if told else text
    first = next(io.StringIO(body, newline=""), "")
    delimiter = told[1] if told else max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    header = next(reader, [])
    before = 1 if told else 0
    lines = ((reader.line_num + before, cells) for cells in reader if any(cell.strip() for cell in cells))
    return Sheet(header, lines, delimiter, delimiter == ";" and _COMMA_CELL.search(body) is not None)


def with_point(number: str, delimiter: str, *, has_commas: bool = False) -> str:
    r"""Return a number with its decimal point, which is a comma where columns may be divided by something else.

    What may be thousands has a comma, and is no number of Python's: spreadsheets divide columns with tabs whatever
    their decimal mark is, and with semicolons where that is a comma. Where other numbers of the table have one between
    semicolons (`has_commas`), a point may divide thousands.

    >>> with_point("0,25", ";"), with_point("0.25", ","), with_point("1,000", ",")
    ('0.25', '0.25', '1,000')
    >>> with_point("1,234", ";"), with_point("1,234", "\t"), with_point("0,125", "\t")
    ('1.234', '1,234', '0.125')
    >>> with_point("1.234", ";"), with_point("1.234", ";", has_commas=True), with_point("2.25", ";", has_commas=True)
    ('1.234', '1,234', '2.25')
    """
    if has_commas and _DOTTED_THOUSANDS.fullmatch(number):
        return number.replace(".", ",")
    if delimiter == "," or (delimiter == "\t" and _THOUSANDS.fullmatch(number)):
        return number
    return number.replace(",", ".")


def decoded(data: bytes) -> str:
    r"""Return the text of a file that says nothing about its encoding, as most do, or begins with a mark.

    UTF-8 in which a few names are of another encoding keeps these as Python keeps such names of files; else what is
    no UTF-8 is what Windows writes in Western Europe.

    >>> [decoded("für".encode(each)) for each in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252")]
    ['für', 'für', 'für', 'für', 'für']
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding)
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(half := data[start:200:2]) > 1 and half.count(0) > len(half) / 2:
            return data.decode(encoding)
    text = data.decode("utf-8", "surrogateescape")
    strange = sum("\udc80" <= letter <= "\udcff" for letter in text) if not text.isascii() else 0
    if 2 * strange <= sum(letter > "\x7f" for letter in text):
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:  # five bytes mean nothing there
        return data.decode("latin-1")
