"""Exit codes of every program: the command line, and the client, whose engine reads them (docs/client.md)."""

OK = 0
FAILED = 1  #: our own fault, or the machine's
USAGE = 2  #: the caller's
BAD_WORK_UNIT = 3
BAD_MODEL = 4
INTERRUPTED = 130  #: by the keyboard, as shells have it
