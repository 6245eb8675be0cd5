"""What a BOINC server has to do, who does it, and how long it has waited: what its database is asked for.

Times are compared by the server's own clock.
"""

from crystal_search.server.engines.boinc.boinc_failures import CLIENT_ERROR, VALIDATE_ERROR
from crystal_search.server.engines.boinc.project import APP

UNSENT, IN_PROGRESS, OVER = 2, 4, 5  #: result.server_state
SUCCESS = 1  #: result.outcome
DELETE_READY = 1  #: result.file_delete_state
HOUR_S, DAY_S = 3_600, 86_400
OVERDUE_S = 300  #: after which what a daemon should do at once is overdue

OURS = f"appid = (SELECT id FROM app WHERE name = '{APP}')"
_UNSENT = f"result WHERE {OURS} AND server_state = {UNSENT}"
_LAST_DAY = f"result WHERE {OURS} AND received_time > UNIX_TIMESTAMP() - {DAY_S}"
_ASKED_LAST_DAY = f"host WHERE rpc_time > UNIX_TIMESTAMP() - {DAY_S}"
_OVERDUE = f"mod_time < NOW() - INTERVAL {OVERDUE_S} SECOND"


def _count(rows: str) -> str:
    return f"SELECT COUNT(*) FROM {rows}"


def _age(first: str, rows: str) -> str:
    """Return how to ask for seconds since a time; 0 where there are no such rows."""
    return f"SELECT COALESCE(UNIX_TIMESTAMP() - {first}, 0) FROM {rows}"


#: By what `status` calls it, a query for one number; docs/services.md tells what each means.
MEASURED = {
    "unsent": _count(_UNSENT),
    "in_progress": _count(f"result WHERE {OURS} AND server_state = {IN_PROGRESS}"),
    "to_validate": _count(f"workunit WHERE {OURS} AND need_validate = 1"),
    "to_assimilate": _count(f"workunit WHERE {OURS} AND assimilate_state = 1"),
    "overdue_transitions": _count(f"workunit WHERE {OURS} AND transition_time < UNIX_TIMESTAMP() - {OVERDUE_S}"),
    "overdue_validations": _count(f"workunit WHERE {OURS} AND need_validate = 1 AND {_OVERDUE}"),
    "overdue_assimilations": _count(f"workunit WHERE {OURS} AND assimilate_state = 1 AND {_OVERDUE}"),
    "overdue_deletions": _count(
        f"result WHERE {OURS} AND file_delete_state = {DELETE_READY} AND mod_time < NOW() - INTERVAL {HOUR_S} SECOND"
    ),
    "errors_last_day": _count(f"{_LAST_DAY} AND outcome IN ({CLIENT_ERROR}, {VALIDATE_ERROR})"),
    "successes_last_day": _count(f"{_LAST_DAY} AND outcome = {SUCCESS}"),
    "hosts_last_hour": _count(f"host WHERE rpc_time > UNIX_TIMESTAMP() - {HOUR_S}"),
    "hosts_last_day": _count(_ASKED_LAST_DAY),
    "accounts_last_day": f"SELECT COUNT(DISTINCT userid) FROM {_ASKED_LAST_DAY}",
    "hosts": _count("host"),
    "users": _count("user"),
    "unsent_seconds": _age("MIN(create_time)", _UNSENT),
    "nothing_sent_seconds": _age("COALESCE(MAX(NULLIF(sent_time, 0)), MIN(create_time))", f"result WHERE {OURS}"),
}
