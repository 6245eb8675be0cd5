"""Numbers out of JSON that lies in a column of text, on each kind of database."""

from typing import Any

from sqlalchemy import Double, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement


class json_number(FunctionElement[float]):  # noqa: N801 (it is written as SQL functions are)
    """The number where `steps` lead to: ``json_number(column, "group_peaks", 0)``; NULL where there is none.

    Steps are written by us, never by whoever asks; as clauses they are part of what compiled statements are kept by.
    """

    type = Double()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], *steps: str | int) -> None:
        super().__init__(column, *(literal_column(str(step)) for step in steps))


def _parts(element: json_number, compiler: SQLCompiler, options: dict[str, Any]) -> tuple[str, list[str]]:
    column, *steps = (compiler.process(each, **options) for each in element.clauses)
    return column, steps


def _path(steps: list[str]) -> str:
    """Return where steps lead to, as SQLite and MariaDB write it."""
    return "$" + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps)


@compiles(json_number, "sqlite")
def _sqlite(element: json_number, compiler: SQLCompiler, **options: Any) -> str:
    column, steps = _parts(element, compiler, options)
    return f"json_extract({column}, '{_path(steps)}')"


@compiles(json_number, "mariadb")
def _mariadb(element: json_number, compiler: SQLCompiler, **options: Any) -> str:
    column, steps = _parts(element, compiler, options)
    return f"CAST(JSON_VALUE({column}, '{_path(steps)}') AS DOUBLE)"


@compiles(json_number, "postgresql")
def _postgresql(element: json_number, compiler: SQLCompiler, **options: Any) -> str:
    column, steps = _parts(element, compiler, options)
    return f"CAST(CAST({column} AS JSON) #>> '{{{','.join(steps)}}}' AS DOUBLE PRECISION)"
