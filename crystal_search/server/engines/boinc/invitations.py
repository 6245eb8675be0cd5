"""Who may volunteer: accounts are made with an invitation code, which a project's web pages ask for.

BOINC keeps the code in ``html/project/project.inc``, as a pattern; its command line client cannot say one, so accounts
are made here or on the project's page.
"""

import hmac
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request

from crystal_search.errors import EngineError, UserError
from crystal_search.files import write_whole
from crystal_search.server.engines.boinc.project import Project

PAGES = "html/project/project.inc"  #: settings of the project's web pages, in PHP
CODE = re.compile(r"""^define\(['"]INVITE_CODES['"], ['"]/\^(?P<code>[A-Za-z0-9]+)\$/['"]\);""", re.MULTILINE)
ANY_CODE = re.compile(r"^\s*define\s*\(\s*['\"]INVITE_CODES['\"]", re.MULTILINE)
MAIL = re.compile(r"[^@\s]+@[^@\s]+")
PATIENCE_S = 60.0


def close_accounts(project: Project) -> list[str]:
    """Have the project ask for an invitation code, unless it asks for one; return what was changed, a sentence each."""
    path = project.root / PAGES
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:  # without pages nobody can make an account
        return []
    if ANY_CODE.search(text):
        return []
    mode = path.stat().st_mode
    start, php, rest = text.partition("<?php\n")
    write_whole(path, f"{start}{php}define('INVITE_CODES', '/^{secrets.token_hex(6)}$/');\n{rest}")
    path.chmod(mode)
    return ["closed accounts: they need an invitation (crystal-search boinc invite)"]


def invitation(project: Project) -> str:
    """Return the code with which accounts can be made; nothing where none is asked for.

    Raises
    ------
    UserError
        If the project has codes that somebody else made, which are patterns.
    """
    path = project.root / PAGES
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if found := CODE.search(text):
        return found["code"]
    if ANY_CODE.search(text):
        raise UserError(f"{path} has a pattern of invitation codes; make the account on {project.master_url}")
    return ""


def make_account(project: Project, mail: str, name: str) -> str:
    """Make an account, or find the one that was made here before, and return its key.

    Its password follows from that of the database, so that asking again finds it, and nobody needs to know it.

    Raises
    ------
    UserError
        If that is no mail address.
    EngineError
        If the project's pages do not answer, or refuse.
    """
    if not MAIL.fullmatch(mail):
        raise UserError(f"{mail!r} is no mail address, which BOINC wants as the name of an account")
    words = {
        "email_addr": mail,
        "passwd_hash": hmac.digest(project.db_password.encode(), mail.encode(), "md5").hex(),
        "user_name": name,
        "invite_code": invitation(project),
    }
    url = f"{project.master_url}create_account.php"
    try:
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(words)}", timeout=PATIENCE_S) as reply:
            told = reply.read().decode(errors="replace")
    except (OSError, urllib.error.URLError) as error:
        raise EngineError(f"{url} does not answer: {error}; does the web server run?") from error
    if not (found := re.search(r"<authenticator>\s*(\w+)\s*</authenticator>", told)):
        why = re.search(r"<error_msg>\s*(.*?)\s*</error_msg>", told)
        raise EngineError(f"{url} makes no account for {mail}: {why[1] if why else told[:500]}")
    return found[1]
