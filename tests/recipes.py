"""What automatic scores of tests were made with."""

from dataclasses import replace
from pathlib import Path

import onnx

from crystal_search.card_file import card_to_json
from crystal_search.model import ModelRef, default_model, sha256_of
from crystal_search.model_card import ROLES, ClassifierCard
from crystal_search.server.imaging.imaging_database import Recipe


def made_by(name: str, classifier: str = "a", *, drop: str = "b", threshold: float = 0.85) -> Recipe:
    """Return the recipe of a classifier and a drop locator whose hashes are all one digit."""
    models = (ModelRef(role="classifier", name=name, sha256=classifier * 64), ModelRef(role="drop", sha256=drop * 64))
    return Recipe(models=models, threshold=threshold)


def by_readout(recipe: Recipe, readout: str = "e") -> Recipe:
    """Return the recipe of a readout, whose hash is all one digit, of the answers of a recipe's models."""
    return replace(recipe, models=(*recipe.models, ModelRef(role="readout", name="ours", sha256=readout * 64)))


def other_model(folder: Path, name: str = "ours-1", *, temperature: float = 2.0, role: str = "classifier") -> Path:
    """Write a model that differs from the shipped one in its last constant, and return its card's path."""
    model = default_model(ROLES[role])
    graph = onnx.load_from_string(model.onnx)
    graph.doc_string = name
    data = graph.SerializeToString()
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(data)
    card = replace(model.card, name=name, file=f"{name}.onnx", sha256=sha256_of(data))
    if isinstance(card, ClassifierCard):
        card = replace(card, temperature=temperature)
    path = folder / f"{name}.card.json"
    path.write_text(card_to_json(card))
    return path
