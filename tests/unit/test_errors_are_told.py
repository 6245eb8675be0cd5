"""Public functions tell in their docstrings which errors of this package they raise themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import crystal_search
from crystal_search import errors

PACKAGE = Path(crystal_search.__file__).parent
OURS = {
    name: each
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, errors.CrystalSearchError)
}
INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
MAKERS = ("__init__", "__post_init__")  #: whose errors the class tells


def raised(node: ast.AST) -> set[str]:
    """Return the errors of ours that stand in ``raise`` within a function, but not in functions within it."""
    found = set()
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call) and isinstance(inner.exc.func, ast.Name):
            found |= {inner.exc.func.id} & OURS.keys()
        if not isinstance(inner, INNER):
            found |= raised(inner)
    return found


def public_functions(body: list[ast.stmt], within: str = "", about: str = "") -> Iterator[tuple[str, str, ast.AST]]:
    """Yield names, what tells their errors, and the functions themselves; methods of public classes among them."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{within}{node.name}.", ast.get_docstring(node) or "")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name in MAKERS:
                yield within + node.name, about, node
            elif not node.name.startswith("_"):
                yield within + node.name, ast.get_docstring(node) or "", node


def untold(source: str) -> list[str]:
    """Return which functions raise which errors without telling them, or one of which they are a kind."""
    found = []
    for name, text, function in public_functions(ast.parse(source).body):
        told = text.partition("Raises\n------\n")[2]
        for error in sorted(raised(function)):
            kinds = [each.__name__ for each in OURS[error].__mro__ if each.__name__ in OURS]
            if not any(kind in told for kind in kinds):
                found.append(f"{name} raises {error}")
    return found


def test_every_error_that_is_raised_is_told() -> None:
    found = {path.relative_to(PACKAGE).as_posix(): untold(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
    assert {path: missing for path, missing in found.items() if missing} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    raise UserError('x')", ["f raises UserError"]),
        ("def f():\n    if 1:\n        raise ImageError('x')", ["f raises ImageError"]),
        ("class A:\n    'A.'\n    def __init__(self):\n        raise UserError", []),
        ("class A:\n    'A.'\n    def __init__(self):\n        raise UserError('x')", ["A.__init__ raises UserError"]),
        ("def f():\n    '''F.\n\n    Raises\n    ------\n    UserError\n    '''\n    raise ConfigError('x')", []),
        (
            "def f():\n    '''F.\n\n    Raises\n    ------\n    ImageError\n    '''\n    raise UserError('x')",
            ["f raises UserError"],
        ),
        ("def _f():\n    raise UserError('x')", []),
        ("def f():\n    def g():\n        raise UserError('x')", []),
        ("def f():\n    raise ValueError('x')", []),
    ],
)
def test_what_is_not_told_is_found(source: str, expected: list[str]) -> None:
    assert untold(source) == expected
