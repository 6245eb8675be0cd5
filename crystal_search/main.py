"""The command line: ``crystal-search COMMAND``. Only here do errors become exit codes."""

import logging
import os
import sys
from collections.abc import Sequence
from errno import EFBIG

from crystal_search import __version__
from crystal_search.commands import COMMANDS, HEADINGS, chosen, did_you_mean, files_written, parsed
from crystal_search.errors import CrystalSearchError, UserError
from crystal_search.exit_codes import FAILED, INTERRUPTED, OK, USAGE
from crystal_search.files import FULL_DISK
from crystal_search.kept_files import written_alone

#: Libraries of the extra ``train``.
TRAINING_LIBRARIES = ("torch", "onnx", "h5py", "matplotlib", "tensorboard", "google_crc32c")


def usage() -> str:
    """Return the commands below their headings."""
    lines = [
        f"crystal-search {__version__}: scores crystallization well images",
        "",
        "usage: crystal-search COMMAND ...",
    ]
    for heading, commands in HEADINGS.items():
        lines += ["", f"{heading}:", *(f"  {name:14}  {purpose}" for name, (_, purpose) in commands.items())]
    return "\n".join([*lines, "", "crystal-search COMMAND --help tells more."])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] == "--version":
        sys.stdout.write(f"crystal-search {__version__}\n")
        return OK
    if not words or words[0] not in COMMANDS:
        asked_for_help = not words or words[0] in ("-h", "--help", "help")
        text = usage() if asked_for_help else _no_command(words[0])
        (sys.stdout if asked_for_help else sys.stderr).write(text + "\n")
        return OK if asked_for_help else USAGE
    return _guarded(*chosen(words))


def _no_command(word: str) -> str:
    meant = did_you_mean(word, COMMANDS)
    return f"no command {word!r}{meant}" + (" crystal-search --help lists all" if meant else f"\n\n{usage()}")


def _guarded(command: str, words: Sequence[str]) -> int:
    try:
        arguments = parsed(command, words)
        logging.basicConfig(
            level=logging.INFO if arguments.verbose else logging.WARNING,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        with written_alone(files_written(arguments)):
            arguments.run(arguments)
    except CrystalSearchError as error:
        sys.stderr.write(f"crystal-search {command}: {error}\n")
        return USAGE if isinstance(error, UserError) else FAILED
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in TRAINING_LIBRARIES:
            raise
        sys.stderr.write(f"crystal-search {command} needs {error.name}: pip install 'crystal-search[train]'\n")
        return USAGE
    except BrokenPipeError:  # the reader of a pipe went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        advice = "; make room on the disk, then try again" if error.errno in (*FULL_DISK, EFBIG) else ""
        what = f"{error.filename or 'the system'}: {error.strerror or error}"
        sys.stderr.write(f"crystal-search {command}: {what}{advice}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


if __name__ == "__main__":
    sys.exit(main())
