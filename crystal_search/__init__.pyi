from crystal_search.direct.python_interface import LoadedModels as LoadedModels
from crystal_search.direct.python_interface import load as load
from crystal_search.direct.python_interface import score as score
from crystal_search.direct.python_interface import score_many as score_many
from crystal_search.result import ImageScore as ImageScore

__version__: str
__all__: list[str]
