"""What files are really called: on a share that was copied, the case of letters is not always what a database says."""

import os


class RealNames:
    """Finds files whose names differ from a database's in case only; reads each folder once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._names: dict[str, dict[str, list[str]]] = {}

    def real(self, path: str) -> str:
        """Return the path of the one file that is called so but for case; `path` itself if none or several are."""
        folder, divided, name = path.rpartition("/")
        if not folder:
            return path
        folder = self._folder(folder)
        return f"{folder}{divided}{self._name(folder, name)}"

    def _folder(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = folder if os.path.isdir(folder) else self.real(folder)
        return self._folders[folder]

    def _name(self, folder: str, name: str) -> str:
        found = self._in(folder).get(name.casefold(), [])
        return found[0] if len(found) == 1 else name

    def _in(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._names:
            names: dict[str, list[str]] = {}
            try:
                for name in os.listdir(folder):
                    names.setdefault(name.casefold(), []).append(name)
            except OSError:  # not mounted, or not there yet
                names = {}
            self._names[folder] = names
        return self._names[folder]
