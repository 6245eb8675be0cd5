"""What a folder is called in a facility's database, and on this machine: the same share, mounted elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FolderMapping:
    r"""Folders as the database calls them, and as this machine does; the longest that fits counts.

    The database's may be of Windows, with backslashes; ours are divided by ``/``. A path below no folder is the same
    on both sides.

    >>> mapping = FolderMapping({"/dls/mx": "/mnt/mx", "\\\\imager\\images": "/mnt/imager"})
    >>> mapping.here("/dls/mx/a.jpg"), mapping.here("\\\\imager\\images\\P1\\a.jpg")
    ('/mnt/mx/a.jpg', '/mnt/imager/P1/a.jpg')
    >>> mapping.there("/mnt/imager/P1/a.jpg") == "\\\\imager\\images\\P1\\a.jpg"
    True
    """

    folders: Mapping[str, str] = field(default_factory=dict)  #: as the database calls it -> as this machine does

    def here(self, path: str) -> str:
        """Return what this machine calls a path of the database."""
        return _moved(path, self.folders)

    def there(self, path: str) -> str:
        """Return what the database calls a path of this machine."""
        return _moved(path, {ours: theirs for theirs, ours in self.folders.items()})


def _moved(path: str, folders: Mapping[str, str]) -> str:
    for old in sorted(folders, key=len, reverse=True):
        new, sign = folders[old], _sign(old)
        top = old.rstrip(sign) + sign
        if path.startswith(top):
            rest = path[len(top) :].replace(sign, _sign(new)) if sign != _sign(new) else path[len(top) :]
            return new.rstrip(_sign(new)) + _sign(new) + rest
    return path


def _sign(folder: str) -> str:
    """Return what divides the names of a path below a folder."""
    return "\\" if "\\" in folder and "/" not in folder else "/"
