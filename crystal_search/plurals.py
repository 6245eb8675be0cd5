"""Numbers of things in words."""


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Return a number with what is counted, whose plural has an s where it is not told.

    >>> counted(1, "file"), counted(2, "file"), counted(0, "class", "classes")
    ('1 file', '2 files', '0 classes')
    """
    return f"{number} {noun if number == 1 else nouns or f'{noun}s'}"
