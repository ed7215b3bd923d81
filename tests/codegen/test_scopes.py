"""What open scopes remember while text is written: the innermost that remembers comes first, and closed ones are forgotten."""

from __future__ import annotations

from kcompile.codegen.emit.scopes import Scopes


def test_the_innermost_scope_that_remembers_comes_first():
    scopes = Scopes()
    scopes.remember("a", "outside")
    scopes.push()
    scopes.push()
    assert scopes.recall("a") == "outside"
    scopes.remember("a", "inside")
    assert scopes.recall("a") == "inside" and scopes.recall("a", 1) == scopes.recall("a", 0) == "outside"
    scopes.remember("a", "between", 1)  # later, and around the scope that remembers already
    assert [scopes.recall("a", depth) for depth in (None, 2, 1, 0)] == ["inside", "inside", "between", "outside"]
    scopes.remember("a", "between again", 1)
    scopes.pop()
    assert scopes.recall("a") == "between again" and scopes.recall("a", 0) == "outside"
    scopes.pop()
    assert scopes.recall("a") == "outside" and scopes.recall("b") is None


def test_what_a_closed_scope_remembered_is_not_found_in_the_next_one():
    scopes = Scopes()
    scopes.push()
    scopes.remember("a", "first")
    scopes.pop()
    scopes.push()
    assert scopes.recall("a") is None
    scopes.remember("a", "second")
    assert scopes.recall("a") == "second" and scopes.recall("a", 0) is None


def test_lines_go_where_their_operands_are_known():
    scopes = Scopes()
    scopes.push()
    inner = scopes.value("add i64 1, 2", 1)
    outer = scopes.value("add i64 3, 4", 0)
    with scopes.at(0) as writer:
        writer.line(f"use {outer}")
    assert scopes.pop() == [f"  {inner} = add i64 1, 2"]
    assert scopes.stack[0].lines == [f"  {outer} = add i64 3, 4", f"  use {outer}"]
