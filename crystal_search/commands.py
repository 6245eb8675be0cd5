"""The commands of ``crystal-search`` and their parsers; a command's module is imported when it is asked for."""

import argparse
import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from crystal_search.arguments import path_named

#: heading -> command -> (module of this package with ``add_arguments(parser)`` and ``run(arguments)``, what it is for);
#: instead of the second, each of the module's own commands may have a default ``run``.
HEADINGS: dict[str, dict[str, tuple[str, str]]] = {
    "For crystallographers": {
        "score": ("direct.score_command", "score images or folders without a database"),
        "crystals": ("direct.crystals_command", "find crystals one by one in images or folders, by a detector"),
        "watch": ("server.services.watch", "import, score and show new images as they come"),
        "view": ("viewer.serve", "serve the plate viewer"),
        "adapt": ("evaluation.adapt_command", "fit a readout to labels of your own, and tell what it is worth"),
        "teach": ("evaluation.teach_command", "choose the images whose labels would teach most"),
        "run": ("demo.run", "the main job: the demo plate from images to frames in the viewer"),
        "import": ("server.importing.import_command", "bring a robot's folder into the imaging database"),
        "remove": ("server.importing.remove_command", "take back an import or a plate"),
        "conditions": ("server.importing.conditions_command", "say what is in wells, from a screen or a table"),
        "owners": ("server.importing.owners_command", "say whose plates are, from a table"),
        "tables": ("viewer.tables.tables_command", "write all scores, or the whole ledger, as CSV or Parquet"),
        "moved": ("server.importing.moved_command", "follow a folder of images that was moved"),
    },
    "Services, each a step of what watch does": {
        "create-work": ("server.services.create_work", "pack unscored images into work units"),
        "work": ("server.services.work", "have work units scored by clients on this machine"),
        "validate": ("server.services.validate", "check the clients' results"),
        "assimilate": ("server.services.assimilate", "take valid results over into the spool"),
        "finalize": ("server.services.finalize", "write spooled results into a CSV file"),
        "set-autoscore": ("server.services.set_autoscore", "put a CSV file's scores into the database"),
        "facility": ("demo.facility_with_demo", "pull from a facility's own database, push scores to it"),
    },
    "Administration": {
        "status": ("server.health.status", "tell what waits, what runs, what failed"),
        "messages": ("viewer.messages.messages_command", "send digests of new crystals to whoever asked for them"),
        "health": ("server.health.health", "say nothing when all is well, for cron"),
        "sentinel": ("server.services.look_after_imagers", "look at new images for what is the matter with imagers"),
        "retry": ("server.services.retry", "try images again now that wait, or were called unreadable"),
        "rebuild-features": ("server.services.rebuild_features", "keep the features of archived results anew"),
        "people": ("viewer.people_command", "say who may sign in to the viewer, and what they may do"),
        "models": ("evaluation.models_command", "list models, and say which new scores are made with"),
        "boinc": ("server.boinc.boinc_command", "put Crystal Search into a BOINC project"),
        "benchmark": ("direct.benchmark_command", "measure how many imagers this machine keeps up with"),
        "completion": ("completion", "print the script with which a shell completes commands and options"),
    },
    "Training": {
        "render": ("synthesis.render_command", "render wells with exact truth"),
        "annotations": (
            "annotations.annotations_command",
            "convert what people drew in images, tell how far they agree, make boxes of scores",
        ),
        "dataset": ("datasets.dataset_command", "pack archives of scored images for training"),
        "train": ("training.train_command", "train the networks"),
        "evaluate": ("evaluation.evaluate_command", "tell how good trainings and models are, side by side"),
        "export": ("exporting.export_command", "make a model of a trained network, float32 and int8"),
        "panel": ("panel.panel_command", "have experts look blind at the same images, and tell how far they agree"),
        "review": ("review.review_command", "have people look at labels that a network doubts"),
        "import-weights": ("old_weights.import_weights_command", "make models of MXNet's and Keras' weights"),
    },
}
COMMANDS = {name: entry for commands in HEADINGS.values() for name, entry in commands.items()}

#: Second words of commands that take files there, by the two words; a file that is called so is told as ./NAME.
AMONG_FILES: dict[str, tuple[str, str]] = {
    "crystals sizes": (
        "populations.sizes_command",
        "tell how crystals of an experiment become more and larger over time",
    ),
    "crystals in-cells": (
        "in_cells.in_cells_command",
        "tell how many crystals insect cells hold, and what a well yields",
    ),
}


class CommandParser(argparse.ArgumentParser):
    """The parser of a command, or of a command of a command, that tells what it takes."""

    def __init__(self, *, description: str = "", **options: Any) -> None:
        """Describe the command in a sentence, whatever the purpose in a list of commands begins with."""
        super().__init__(description=description[:1].upper() + description[1:], **options)
        self.register("type", Path, path_named)  # pathlib takes an empty name for the current folder

    @property
    def options(self) -> Mapping[str, argparse.Action]:
        """What each of its options does."""
        return self._option_string_actions

    @property
    def words(self) -> list[str]:
        """What may stand here without a dash, where that is known: commands, or the choices of an argument."""
        return [str(word) for action in self._actions if not action.option_strings for word in action.choices or ()]

    @property
    def commands(self) -> dict[str, "CommandParser"]:
        """The parsers of its own commands, by name; most have none."""
        choices = (action.choices for action in self._actions if isinstance(action.choices, dict))
        return {name: inner for each in choices for name, inner in each.items() if isinstance(inner, CommandParser)}

    def way(self, words: Iterable[str]) -> list["CommandParser"]:
        """Return the parsers that see `words`: this one, that of its command among them, and so on."""
        parsers = [self]
        for word in words:
            if inner := parsers[-1].commands.get(word):
                parsers.append(inner)
        return parsers


def chosen(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command that `words` begin with, of two words where there is one, and the words after it.

    >>> chosen(["crystals", "sizes", "runs"]), chosen(["crystals", "./sizes"])
    (('crystals sizes', ['runs']), ('crystals', ['./sizes']))
    """
    length = 2 if " ".join(words[:2]) in AMONG_FILES else 1
    return " ".join(words[:length]), list(words[length:])


def parser_for(command: str) -> CommandParser:
    """Return the parser of one command; this imports the command's module and no other."""
    module, purpose = (COMMANDS | AMONG_FILES)[command]
    more = (
        f"crystal-search {name}: {what}." for name, (_, what) in AMONG_FILES.items() if name.startswith(f"{command} ")
    )
    parser = CommandParser(
        prog=f"crystal-search {command}", description=purpose, epilog=" ".join(more) or None, allow_abbrev=False
    )
    parser.add_argument("--verbose", action="store_true", help="log what is done")
    loaded = importlib.import_module(f"crystal_search.{module}")
    loaded.add_arguments(parser)
    if hasattr(loaded, "run"):
        parser.set_defaults(run=loaded.run)
    return parser


def parsed(command: str, words: Sequence[str]) -> argparse.Namespace:
    """Return what `words` say to a command; argparse ends the program where that cannot be understood."""
    parser = parser_for(command)
    way = parser.way(words)
    known = [option for each in way for option in each.options]
    given = [word.partition("=")[0] for word in takewhile("--".__ne__, words) if word.startswith("--")]
    unknown = [option for option in given if option not in known]
    if unknown and not way[-1].commands:  # else argparse says first which commands there are
        way[-1].error(f"no option {unknown[0]}{did_you_mean(unknown[0], known)}")
    return parser.parse_args(words)


def files_written(arguments: argparse.Namespace) -> list[Path]:
    """Return the files that a command writes once its work is done, as its module says by ``writes``."""
    told = (getattr(arguments, name) for name in getattr(arguments, "writes", ()))
    return [path for path in told if path]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about a word that is none of `known`.

    >>> did_you_mean("scroe", COMMANDS)
    '; did you mean score?'
    >>> did_you_mean("xyz", COMMANDS)
    ''
    """
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
