"""``python -m tests.killing``: kill and break for long, over every database; print a table, write docs/kill-test.md."""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from crystal_search.arguments import count
from crystal_search.files import write_whole
from tests.killing.campaign import Outcome, campaigns
from tests.killing.databases import DATABASES
from tests.killing.faults import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "kill-test.md"
BEGIN, END = "<!-- written by make kill -->\n", "<!-- end -->\n"
FOUND = {
    "lost": "images lost, or without the score of what they show",
    "doubled": "images scored twice",
    "condemned": "good pictures called unreadable",
    "wrong": "scores of anything but a whole picture",
    "stuck": "work units, folders, CSV files, images stuck",
}
COUNTED = {
    "images": "images",
    "scores": "scores in the ledger",
    "superseded": "of them superseded, since the picture was replaced",
    "unreadable": "broken pictures called unreadable",
}


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.killing", description=__doc__)
    parser.add_argument("--kills", type=count, default=1000, help="processes to kill, over all databases (%(default)s)")
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated (default: a new one)")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--folder", type=Path, help="where the installations are made (default: a new one)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/kill-test.md")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Run all databases side by side; return 1 if anything was wrong, or could not be run."""
    arguments = arguments_of(words)
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="kills-"))
    command = f"python -m tests.killing --kills {arguments.kills} --seed {seed}"
    say(f"{command} --databases {' '.join(arguments.databases)}  # in {folder}")
    outcomes = []
    for kind, outcome in campaigns(arguments.databases, folder, kills=arguments.kills, seed=seed):
        if isinstance(outcome, Outcome):
            tell(outcome)
            outcomes.append(outcome)
        else:
            say(f"{kind} is left out: {outcome!r}")
    table = table_of(outcomes)
    say(table)
    if arguments.write:
        write_page(f"`{command}`, {datetime.now(UTC):%Y-%m-%d}\n\n{table}")
    return int(len(outcomes) < len(arguments.databases) or any(each.wrong.all() or each.broke for each in outcomes))


def table_of(outcomes: Sequence[Outcome]) -> str:
    """Return the table of what was killed, what happened, and what was wrong in the end."""
    rows = [["", *(outcome.database for outcome in outcomes)], ["---", *("---:" for _ in outcomes)]]
    rows.append(["**processes killed**", *(f"**{outcome.kills}**" for outcome in outcomes)])
    for name in sorted({name for outcome in outcomes for name in outcome.killed}):
        rows.append([f"of them `{name}`" if name != "client" else "of them clients", *_each(outcomes, "killed", name)])
    rows += [[kind, *_each(outcomes, "happened", kind)] for kind in KINDS]
    rows += [[title, *_each(outcomes, "counts", name)] for name, title in COUNTED.items()]
    rows += [
        [f"**{title}**", *(f"**{len(getattr(outcome.wrong, name))}**" for outcome in outcomes)]
        for name, title in FOUND.items()
    ]
    rows.append(["installations in which the test itself broke", *(str(int(bool(each.broke))) for each in outcomes)])
    rows.append(["installations", *(str(outcome.rounds) for outcome in outcomes)])
    rows.append(["minutes", *(f"{outcome.seconds / 60:.0f}" for outcome in outcomes)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _each(outcomes: Sequence[Outcome], counter: str, name: str) -> list[str]:
    return [str(getattr(outcome, counter)[name]) for outcome in outcomes]


def write_page(text: str) -> None:
    """Put the table into its page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    write_whole(PAGE, f"{before}{BEGIN}{text}\n{END}{after}")


def tell(outcome: Outcome) -> None:
    """Say what was wrong over one database, and what the services complained of."""
    say(f"{outcome.database}: {outcome.kills} killed in {outcome.rounds} rounds, {outcome.seconds:.0f} s")
    if outcome.broke:
        say(f"  THE TEST BROKE, in an installation that is not counted: {outcome.broke}")
    for line in outcome.wrong.all():
        say(f"  WRONG: {line}")
    for title, counter in (("ended", outcome.ended), ("let through", outcome.faults)):
        for name, number in counter.most_common(20):
            say(f"  {title} {number} times: {name}")


def say(text: str) -> None:
    """Print, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
