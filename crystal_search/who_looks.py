"""Which models look at images, as what is fitted to their scores remembers it."""

from dataclasses import dataclass

DIGITS = 12  #: of a hash, as people are told it


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Hashes of the models whose scores are one kind of numbers, in the order in which they look at an image."""

    first: str  #: whose features every score has
    behind: str | None = None  #: the classifier behind a first look; None: there is no first look, or nobody said it

    @classmethod
    def of(cls, *, first: str, classifier: str) -> "Looks":
        """Return the looks of whoever looks first and of the classifier, which may be the same.

        >>> Looks.of(first="a", classifier="a").behind is None
        True
        """
        return cls(first=first, behind=None if first == classifier else classifier)

    def fit(self, now: "Looks") -> bool:
        """Tell whether what was fitted to scores of these models reads those of the models that look now.

        Where nobody said which classifier was behind a first look, any is taken for it.

        >>> Looks(first="a", behind="b").fit(Looks(first="a", behind="c"))
        False
        """
        return self.first == now.first and self.behind in (None, now.behind)

    def __str__(self) -> str:
        """Tell the models by their hashes."""
        if self.behind is None:
            return f"the classifier {self.first[:DIGITS]}"
        return f"the classifier {self.behind[:DIGITS]} after the first look {self.first[:DIGITS]}"
