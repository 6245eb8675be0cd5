"""What people may do in the viewer: roles, each of which may do what those before it may, and something more."""

#: role -> what it adds; in this order. docs/sign-in.md has the same table.
ROLES = {
    "look": "see plates, drops, scores and lists, and take them along as files",
    "score": "score and comment under the own name, and take back what they gave",
    "curate": "do what changes more than a score: bring in the images of a planned import",
    "administer": "see on the audit page who did what",
}
LEAST, MOST = next(iter(ROLES)), list(ROLES)[-1]
ANYBODY = ""  #: in place of a role: what needs none, and what those have who are not signed in and must be
_ORDER = (ANYBODY, *ROLES)


def allows(role: str, needed: str) -> bool:
    """Tell whether whoever has `role` may do what needs the role `needed`.

    >>> allows("curate", "score"), allows("look", "score"), allows(ANYBODY, "look"), allows("look", ANYBODY)
    (True, False, False, True)
    """
    return _ORDER.index(role) >= _ORDER.index(needed)


def lesser(role: str, other: str) -> str:
    """Return that of two roles which may do less.

    >>> lesser("curate", "score")
    'score'
    """
    return min(role, other, key=_ORDER.index)
