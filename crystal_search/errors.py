"""Every error of this package, in one tree split by who must act.

.. code-block:: text

    CrystalSearchError
    ├── UserError                the person at the keyboard: correct the call and run it again
    │   ├── UnknownNameError         a name that is in no registry
    │   ├── ConfigError              a settings file that cannot be used
    │   └── AnotherRunningError      a second service or command where one must run
    ├── ImageError               whoever made the image: it cannot be read or used
    ├── ModelError               whoever installed the model
    │   ├── ModelCardError           the card breaks the format
    │   └── ModelMismatchError       the file is not the one its card describes
    ├── WorkUnitError            the server: the work unit breaks the format
    ├── ResultError              the volunteer: refuse the result and send the work again
    │   └── WrongWorkUnitError       a good result, but for another work unit
    ├── EngineError              the client program failed, hung or was killed: try again
    └── DatabaseError            whoever runs the imaging database
        └── SchemaError              the database has another schema version
"""


class CrystalSearchError(Exception):
    """Something that Crystal Search can explain went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class UserError(CrystalSearchError):
    """The command cannot do what was asked; correct the call and run it again."""


class UnknownNameError(UserError):
    """A name that is in no registry."""


class ConfigError(UserError):
    """The settings cannot be used; correct the file that the message names."""


class AnotherRunningError(UserError):
    """It runs already; stop the other one first, or wait for it."""


class ImageError(CrystalSearchError):
    """The image cannot be read or used."""


class ModelError(CrystalSearchError):
    """The model cannot be used; install it again."""


class ModelCardError(ModelError):
    """The model card breaks the format (docs/model-card.md)."""


class ModelMismatchError(ModelError):
    """The model file is not the one its card describes; fetch it again."""


class WorkUnitError(CrystalSearchError):
    """The work unit breaks the format (docs/work-unit.md); pack it again."""


class ResultError(CrystalSearchError):
    """The result breaks the format (docs/result.md): refuse it and send the work again."""


class WrongWorkUnitError(ResultError):
    """The result belongs to another work unit: refuse it."""


class EngineError(CrystalSearchError):
    """The client program failed, hung or was killed; the work unit is tried again."""


class DatabaseError(CrystalSearchError):
    """The imaging database cannot do what was asked."""


class SchemaError(DatabaseError):
    """The imaging database has another schema version than this program."""
