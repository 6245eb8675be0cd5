"""The command line: ``crystal-search COMMAND``. Only here do errors become exit codes."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from errno import EDQUOT, EFBIG, ENOSPC

from crystal_search import __version__
from crystal_search.errors import CrystalSearchError, UserError
from crystal_search.exit_codes import FAILED, INTERRUPTED, OK, USAGE

#: Libraries of the extra ``train``.
TRAINING_LIBRARIES = ("torch", "onnx", "h5py", "webdataset", "matplotlib", "tensorboard")
FULL_DISK = (ENOSPC, EDQUOT, EFBIG)

#: command -> (module with ``add_arguments(parser)`` and ``run(arguments)``, what it is for)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("crystal_search.demo.run", "the main job: the demo plate from images to frames in the viewer"),
    "score": ("crystal_search.direct.score_command", "score images or folders without a database"),
    "benchmark": ("crystal_search.direct.benchmark_command", "measure how many imagers this machine keeps up with"),
    "import": ("crystal_search.server.importing.import_images", "bring a robot's folder into the imaging database"),
    "watch": ("crystal_search.server.services.watch", "import, score and show new images as they come"),
    "create-work": ("crystal_search.server.services.create_work", "pack unscored images into work units"),
    "work": ("crystal_search.server.services.work", "have work units scored by clients on this machine"),
    "validate": ("crystal_search.server.services.validate", "check the clients' results"),
    "assimilate": ("crystal_search.server.services.assimilate", "take valid results over into the spool"),
    "finalize": ("crystal_search.server.services.finalize", "write spooled results into a CSV file"),
    "set-autoscore": (
        "crystal_search.server.services.set_autoscore",
        "put a CSV file's scores into the database",
    ),
    "boinc": ("crystal_search.server.engines.boinc.boinc_command", "put Crystal Search into a BOINC project"),
    "view": ("crystal_search.viewer.serve", "serve the plate viewer"),
    "status": ("crystal_search.server.health.status", "tell what waits, what runs, what failed"),
    "health": ("crystal_search.server.health.health", "say nothing when all is well, for cron"),
    "render": ("crystal_search.synthesis.render_command", "render wells with exact truth"),
    "import-weights": (
        "crystal_search.old_weights.import_weights_command",
        "make models of MXNet's and Keras' weights",
    ),
    "dataset": ("crystal_search.datasets.dataset_command", "pack archives of scored images for training"),
    "evaluate": ("crystal_search.evaluation.evaluate_command", "tell how good trained networks are, side by side"),
    "evaluate-wells": ("crystal_search.evaluation.photograph_command", "score photographs whose truth is known"),
    "measure": ("crystal_search.evaluation.measure_command", "measure models, and write the figures into their cards"),
    "train": ("crystal_search.training.train_command", "train the networks"),
    "export": ("crystal_search.exporting.export_command", "make a model of a trained network, float32 and int8"),
    "models": ("crystal_search.server.models_command", "list models, and say which new scores are made with"),
    "review": ("crystal_search.review.review_command", "have people look at labels that a network doubts"),
}


def parser_for(command: str) -> argparse.ArgumentParser:
    """Return the parser of one command; this imports the command's module and no other."""
    module, purpose = COMMANDS[command]
    description = purpose[0].upper() + purpose[1:]
    parser = argparse.ArgumentParser(prog=f"crystal-search {command}", description=description, allow_abbrev=False)
    parser.add_argument("--verbose", action="store_true", help="log what is done")
    loaded = importlib.import_module(module)
    loaded.add_arguments(parser)
    parser.set_defaults(run=loaded.run)
    return parser


def usage() -> str:
    """Return the list of commands."""
    lines = [
        f"crystal-search {__version__}: scores crystallization well images",
        "",
        "usage: crystal-search COMMAND ...",
    ]
    lines += ["", *(f"  {name:14} {purpose}" for name, (_, purpose) in COMMANDS.items())]
    return "\n".join([*lines, "", "crystal-search COMMAND --help tells more."])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] == "--version":
        sys.stdout.write(f"crystal-search {__version__}\n")
        return OK
    if not words or words[0] not in COMMANDS:
        asked_for_help = not words or words[0] in ("-h", "--help", "help")
        text = usage() if asked_for_help else f"no command {words[0]!r}\n\n{usage()}"
        (sys.stdout if asked_for_help else sys.stderr).write(text + "\n")
        return OK if asked_for_help else USAGE
    return _guarded(words[0], words[1:])


def _guarded(command: str, words: Sequence[str]) -> int:
    try:
        arguments = parser_for(command).parse_args(words)
        logging.basicConfig(
            level=logging.INFO if arguments.verbose else logging.WARNING,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
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
        advice = "; make room on the disk, then try again" if error.errno in FULL_DISK else ""
        what = f"{error.filename or 'the system'}: {error.strerror or error}"
        sys.stderr.write(f"crystal-search {command}: {what}{advice}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


if __name__ == "__main__":
    sys.exit(main())
