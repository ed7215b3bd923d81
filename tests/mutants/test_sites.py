"""The mutants themselves: each differs from the module, parses, and leaves annotations and errors alone."""

import ast

from tests.mutants.sites import mutated, sites

SOURCE = '''
def f(x: int = 3) -> int:
    """Doc with 1."""
    if not x < 2 and True:
        raise ValueError(x + 1)
    return -x if x == 1 else x * 2
'''


def test_each_is_another_program():
    found = sites("f.py", SOURCE)
    texts = {mutated(SOURCE, site) for site in found}
    assert len(texts) == len(found) >= 8 and ast.unparse(ast.parse(SOURCE)) + "\n" not in texts
    assert all(ast.parse(text) for text in texts)
    assert {site.what for site in found} >= {"Lt -> LtE", "And -> Or", "Not dropped", "Eq -> NotEq", "branches exchanged", "3 -> 4"}


def test_errors_and_docstrings_are_left_alone():
    for site in sites("f.py", SOURCE):
        assert "raise ValueError(x + 1)" in mutated(SOURCE, site) and "Doc with 1." in mutated(SOURCE, site)


def test_scopes():
    source = "a = op(vjp=lambda ct: [ct * 2])\ndef g(): return 1 < 2\n"
    assert {site.scope for site in sites("g.py", source)} == {"a.vjp", "g"}
    assert {site.scope for site in sites("g.py", source, lambda scope: "vjp" in scope)} == {"a.vjp"}
