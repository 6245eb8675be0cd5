"""Triggers by which a database itself refuses to change or delete rows of the ledger."""

import logging

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

log = logging.getLogger(__name__)

#: The tables of the ledger, and what the database says to whoever wants to change or delete rows of them.
LEDGER = {
    "score": "scores are never changed or deleted",
    "score_taken_back": "what was taken back is never changed or deleted",
    "image_comment": "comments are never changed or deleted",
    "comment_taken_back": "what was taken back is never changed or deleted",
    "image_mark": "marks are never changed or deleted",
    "mark_taken_back": "what was taken back is never changed or deleted",
}
_GUARDS = {
    "sqlite": (
        "CREATE TRIGGER IF NOT EXISTS {0}_update BEFORE UPDATE ON {0} BEGIN SELECT RAISE(ABORT, '{1}'); END",
        "CREATE TRIGGER IF NOT EXISTS {0}_delete BEFORE DELETE ON {0} BEGIN SELECT RAISE(ABORT, '{1}'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION {0}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '{1}'; END $$",
        "CREATE OR REPLACE TRIGGER {0}_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON {0} "
        "FOR EACH STATEMENT EXECUTE FUNCTION {0}_refuse()",
    ),
    "mariadb": (
        "CREATE OR REPLACE TRIGGER {0}_update BEFORE UPDATE ON {0} FOR EACH ROW "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{1}'",
        "CREATE OR REPLACE TRIGGER {0}_delete BEFORE DELETE ON {0} FOR EACH ROW "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{1}'",
    ),
}


def guard_ledger(connection: Connection) -> None:
    """Have the database itself refuse to change or delete rows of the ledger; what is guarded already stays so."""
    for statement in _GUARDS[connection.dialect.name]:
        try:
            for table, refusal in LEDGER.items():
                connection.execute(text(statement.format(table, refusal)))
        except OperationalError as error:  # MariaDB with a binary log wants a right that few accounts have
            if connection.dialect.name != "mariadb":
                raise
            log.warning("the database does not guard the ledger by itself: %s", error.orig)
