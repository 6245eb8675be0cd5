"""What is judged: trainings, model cards, folders of models."""

from collections.abc import Sequence
from pathlib import Path

from crystal_search.datasets.packed import PackedDataset
from crystal_search.errors import UserError
from crystal_search.evaluation.judge import Contender, Options
from crystal_search.exporting.exported_runs import export_run, record_in
from crystal_search.model import CARD_SUFFIX, default_model, read_model
from crystal_search.model_card import ClassifierCard
from crystal_search.named_models import CARD_OR_TRAINING, model_called, models_at_hand
from crystal_search.training.checkpoints import load_trained
from crystal_search.training.learning_curve import effort
from crystal_search.training.run_record import RUN


def contender(path: Path, name: str, dataset: PackedDataset | None, options: Options, workshop: Path) -> Contender:
    """Return the model in `path`: a training's folder, a model's card, or a folder of models with a classifier.

    A training is exported just as the command ``export`` does it.

    Parameters
    ----------
    path, name
        Where it is, and what it is called in tables.
    dataset
        That classifiers are calibrated on which learnt from chops, or from whole images; None: what they learnt from.
    options
        How it is judged.
    workshop
        A folder for an exported model.

    Raises
    ------
    UserError
        If it is nothing of that.
    ModelError
        If it has no weights, or cannot be used.
    """
    if path.name.endswith(CARD_SUFFIX):
        return Contender(name=name, model=read_model(path), folder=path.parent, companions=options.models)
    if not (path / RUN).exists() and any(path.glob(f"*{CARD_SUFFIX}")):
        model = default_model(ClassifierCard, path)
        return Contender(name=name, model=model, folder=path, companions=options.models or path)
    record = record_in(path)
    data = dataset.folder if dataset is not None and record.task in ("chops", "images") else None
    card = export_run(path, "examined", workshop, data, chops=options.chops)
    trained = load_trained(path) if record.role == "classifier" else None
    return Contender(
        name=name,
        model=read_model(card),
        folder=workshop,
        companions=options.models,
        record=record,
        trained=trained,
        effort=effort(path),
    )


def networks_called(named: Sequence[Path]) -> list[Path]:
    """Return the folders and cards that are meant, of which a shipped model may be called by its name.

    Raises
    ------
    UnknownNameError
        If one is neither there nor a model's name.
    """
    known = models_at_hand()
    return [each if each.exists() else model_called(str(each), known, instead=CARD_OR_TRAINING).path for each in named]


def names_of(folders: Sequence[Path]) -> list[str]:
    """Return what trainings and models are called: by their names, with the parents' where that is not enough.

    Raises
    ------
    UserError
        If one is named twice.

    >>> names_of([Path("runs/squeezenet"), Path("runs/vgg16")]), names_of([Path("a/x"), Path("b/x")])
    (['squeezenet', 'vgg16'], ['a/x', 'b/x'])
    """
    whole = [folder.resolve() for folder in folders]
    if len(set(whole)) < len(whole):
        raise UserError(f"the same training is named twice: {', '.join(map(str, folders))}; name each once")
    parts = 1
    while len({each.parts[-parts:] for each in whole}) < len(whole):
        parts += 1
    return ["/".join(each.parts[-parts:]).removesuffix(CARD_SUFFIX) for each in whole]
