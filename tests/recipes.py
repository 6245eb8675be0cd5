"""What automatic scores of tests were made with."""

from crystal_search.model import ModelRef
from crystal_search.server.imaging.imaging_database import Recipe


def made_by(name: str, classifier: str = "a", *, drop: str = "b", threshold: float = 0.85) -> Recipe:
    """Return the recipe of a classifier and a drop locator whose hashes are all one digit."""
    models = (ModelRef(role="classifier", name=name, sha256=classifier * 64), ModelRef(role="drop", sha256=drop * 64))
    return Recipe(models=models, threshold=threshold)
