"""The digest of code: what changes it, what does not, and that it is never in the way."""

import functools
import gc
import os
import runpy
import weakref
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from types import CodeType, FunctionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.reducer.code import SIZE_BYTES, NoSuchFunction, digest, digest_source


def same(first: str, second: str) -> bool:
    return digest_source(dedent(first)) == digest_source(dedent(second))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("x = 1", "x  =  (1)  # one", id="layout and comments"),
        pytest.param("def f():\n return 1", 'def f():\n "Say."\n return 1', id="docstring"),
        pytest.param("def f(): pass", 'def f():\n "Say."', id="docstring as body"),
        pytest.param("def f(): ...", "def f(): pass", id="empty bodies"),
        pytest.param("class A:\n x = 1", 'class A:\n "Say."\n x = 1', id="docstring of a class"),
        pytest.param("x = 'a'", 'x = "a"', id="quotes"),
        pytest.param("x = u'a'", "x = 'a'", id="string prefix"),
        pytest.param("x = 'ab'", "x = 'a' 'b'", id="joined strings"),
        pytest.param("x = f'a{y}bc'", "x = f'a{y}b' 'c'", id="joined f-strings"),
        pytest.param("x = 1000", "x = 1_000", id="digits"),
        pytest.param("x = 255", "x = 0xFF", id="base"),
        pytest.param("if x:\n y()\nelse:\n pass", "if x:\n y()", id="empty else"),
        pytest.param("def f():\n a = 1; return a", "def f():\n b = 1; return b", id="local"),
        pytest.param(
            "def f():\n for i in g(): print(i)", "def f():\n for j in g(): print(j)", id="loop"
        ),
        pytest.param("x = [a for a in b]", "x = [c for c in b]", id="comprehension"),
        pytest.param(
            "def f(a):\n return [a for a in a]", "def f(a):\n return [b for b in a]", id="shadowing"
        ),
        pytest.param(
            "def f():\n a = 1\n return [a for a in g(a)] + [a]",
            "def f():\n a = 1\n return [b for b in g(a)] + [a]",
            id="the first iterable is evaluated outside",
        ),
        pytest.param(
            "def f():\n [a := b for b in g()]\n return a",
            "def f():\n [c := d for d in g()]\n return c",
            id="walrus leaves the comprehension",
        ),
        pytest.param(
            "def f():\n try: g()\n except E as e: h(e)",
            "def f():\n try: g()\n except E as error: h(error)",
            id="exception",
        ),
        pytest.param(
            "def f(x):\n match x:\n  case [a, *b]: return a, b\n  case {**c}: return c",
            "def f(x):\n match x:\n  case [p, *q]: return p, q\n  case {**r}: return r",
            id="captures",
        ),
        pytest.param(
            "def f():\n n = 0\n def g():\n  nonlocal n\n  n += 1\n return g",
            "def f():\n m = 0\n def g():\n  nonlocal m\n  m += 1\n return g",
            id="nonlocal of a local",
        ),
        pytest.param(
            "def f():\n n = 0\n return lambda a: a + n",
            "def f():\n m = 0\n return lambda a: a + m",
            id="closure",
        ),
        pytest.param(
            "def f():\n with g() as a, h() as b: return a + b",
            "def f():\n with g() as b, h() as a: return b + a",
            id="swapped names",
        ),
    ],
)
def test_layout_and_local_names_change_nothing(before: str, after: str) -> None:
    assert same(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("x = 1", "x = 2", id="constant"),
        pytest.param("x = 1", "x = True", id="type of a constant"),
        pytest.param("x = 1", "x = 1.0", id="float"),
        pytest.param("x = 'a'", "x = b'a'", id="bytes"),
        pytest.param("x = 0.0", "x = -0.0", id="sign"),
        pytest.param("x = a + b", "x = a - b", id="operator"),
        pytest.param("x = a < b < c", "x = a < b > c", id="comparison"),
        pytest.param("x = a[1:]", "x = a[:1]", id="slice"),
        pytest.param("x = {**a}", "x = {a: a}", id="dictionary"),
        pytest.param("x = f'{a}'", "x = f'{a!r}'", id="conversion"),
        pytest.param("x = f'{a=}'", "x = f'{a}'", id="shown name"),
        pytest.param("x = (a, b), c", "x = a, (b, c)", id="nesting"),
        pytest.param("f(a); g()", "g(); f(a)", id="order"),
        pytest.param("async def f(): pass", "def f(): pass", id="async"),
        pytest.param("x = [a for a in b]", "x = [a async for a in b]", id="async comprehension"),
        pytest.param("def f(a): return a", "def f(b): return b", id="parameter"),
        pytest.param("def f(a=1): pass", "def f(*, a=1): pass", id="kind of parameter"),
        pytest.param("def f(a: int): pass", "def f(a: str): pass", id="annotation"),
        pytest.param("def f(): pass", "@cached\ndef f(): pass", id="decorator"),
        pytest.param("def f(): return a", "def f(): return b", id="name from outside"),
        pytest.param("def f():\n a.x = 1", "def f():\n a.y = 1", id="attribute"),
        pytest.param("def f():\n g(a=1)", "def f():\n g(b=1)", id="keyword"),
        pytest.param(
            "def f():\n a = b = 1; return a", "def f():\n a = b = 1; return b", id="which local"
        ),
        pytest.param(
            "def f():\n global n\n n = 1",
            "def f():\n global m\n m = 1",
            id="global of another name",
        ),
        pytest.param("def f():\n global n\n n = 1", "def f():\n n = 1", id="global or local"),
        pytest.param(
            "def f():\n nonlocal_ = 1\n def g():\n  nonlocal_ = 2",
            "def f():\n nonlocal_ = 1\n def g():\n  nonlocal nonlocal_\n  nonlocal_ = 2",
            id="nonlocal or local",
        ),
        pytest.param(
            "def f():\n a = 1\n def g():\n  global a\n  return a",
            "def f():\n b = 1\n def g():\n  global b\n  return b",
            id="a global seen past a local",
        ),
        pytest.param(
            "def f():\n class A:\n  x = 1\n return A",
            "def f():\n class A:\n  y = 1\n return A",
            id="attribute of a local class",
        ),
        pytest.param(
            "def f():\n x = 1\n class A:\n  x = 2\n  def m(self): return x",
            "def f():\n y = 1\n class A:\n  x = 2\n  def m(self): return x",
            id="methods look past their class",
        ),
        pytest.param(
            "def f():\n a = 1; return locals()", "def f():\n b = 1; return locals()", id="locals()"
        ),
        pytest.param("def f():\n import a; a()", "def f():\n import b; b()", id="import"),
        pytest.param(
            "def f():\n a = g(); return [a for b in a]",
            "def f():\n a = g(); return [b for b in a]",
            id="inner or outer variable",
        ),
        pytest.param("try: f()\nexcept A: pass", "try: f()\nexcept A as a: pass", id="capture"),
    ],
)
def test_a_change_of_meaning_changes_the_digest(before: str, after: str) -> None:
    assert not same(before, after)


SAMPLE = dedent(
    """
    import a.b as c
    from .d import e

    @g(1, *h, k=-2, **m)
    async def f(a, /, b: int = 3, *c, d=None, **e) -> "str":
        'Say.'
        global n
        n = u"q\\ud800" + f"a{{b}}{b=}{a!r:>{b}}" "z"
        x: list[int] = [i async for i in c if i for j in i]
        def inner():
            nonlocal x
            x += [1e999, 2j, 10**40, b"\\0", ..., True]
            yield from x
        async with g() as y, h(y):
            await y[1:2, ::3]
        try:
            match x:
                case {"a": 1, **rest} | [*rest]: return rest
                case K(p, q=-1 + 2j) as whole if (w := p): return whole, w
                case _: pass
        except* (A, B) as error: raise C from error
        else: del x[0], y.z
        finally: assert not x, lambda s: s if s else {**s}
        class L(M, metaclass=N):
            x = 1
            def m(self): return x, {v: k for k, v in x}
        while True: break
    """
)


# --- properties -----------------------------------------------------------------------------------

VALUES = st.one_of(
    st.integers(), st.text(max_size=5), st.binary(max_size=3), st.booleans(), st.none()
)
OPERATORS = st.sampled_from(["+", "-", "*", "//", "@", "<<", "and", "or", "<", "is not", "in"])
TERMS = st.one_of(VALUES.map(repr), st.sampled_from(["a", "b", "len(a)", "b.c", "[x for x in a]"]))
LINES = st.lists(st.tuples(TERMS, OPERATORS, TERMS), min_size=1, max_size=5)
Line = tuple[str, str, str]


def function_of(lines: list[Line], *, note: str = "", tab: str = "    ", pad: str = "") -> str:
    """Write the same function in as many ways as its arguments have values."""
    docstring = [repr(note)] if note else []
    comment = "  # " + ascii(note) if note else ""
    body = [f"t = ({pad}{x} {operator} {y}{pad}){comment}" for x, operator, y in lines]
    gap = "\n" + "\n" * bool(pad)
    return f"def f(a, b):{comment}\n" + indent(gap.join([*docstring, *body, "return t"]), tab)


@given(LINES, st.text(min_size=1, max_size=10), st.sampled_from([" ", "\t", "  "]))
def test_reformatting_never_changes_the_digest(lines: list[Line], note: str, tab: str) -> None:
    plain = digest_source(function_of(lines), "f")

    assert digest_source(function_of(lines, note=note, tab=tab, pad=tab), "f") == plain


@given(LINES, st.data())
def test_another_operator_or_constant_always_changes_it(
    lines: list[Line], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(lines) - 1))
    part = data.draw(st.sampled_from([0, 1]))
    other = data.draw([VALUES.map(repr), OPERATORS][part].filter(lambda x: x != lines[place][part]))
    changed = list(lines)
    changed[place] = (
        (other, *lines[place][1:]) if part == 0 else (lines[place][0], other, lines[place][2])
    )

    assert digest_source(function_of(changed), "f") != digest_source(function_of(lines), "f")


# --- finding the source ---------------------------------------------------------------------------


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def plain(a: int) -> int:
    """Add one."""
    return a + 1


@traced
def decorated(a: int) -> int:
    return a + 2


class Adder:
    def __call__(self, a: int) -> int:
        return a + 3

    def method(self, a: int) -> int:
        return a + 4


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (plain, "plain"),
        (decorated, "decorated"),
        (functools.partial(plain, 1), "plain"),
        (Adder(), "Adder.__call__"),
        (Adder().method, "Adder.method"),
        (Adder.method, "Adder.method"),
    ],
)
def test_a_function_has_the_digest_of_its_source(function: Callable[..., Any], name: str) -> None:
    assert digest(function) == digest_source(Path(__file__).read_text(), name)


def test_a_nested_function_is_found_in_its_source() -> None:
    def nested() -> int:
        return 5

    assert digest(nested) == digest_source(Path(__file__).read_text(), nested.__qualname__)


Load = Callable[[str], dict[str, Any]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Run a source from a file of its own and return its names."""

    def run(source: str) -> dict[str, Any]:
        file = tmp_path / f"source_{len(list(tmp_path.iterdir()))}.py"
        file.write_text(dedent(source))
        return runpy.run_path(str(file), run_name="loaded")

    return run


def test_a_lambda_alone_in_its_line_has_the_digest_of_its_source(load: Load) -> None:
    before = load("f = lambda a: a * 2")["f"]
    after = load("# moved\nf = (\n  lambda a: a * 2  # twice\n)")["f"]
    other = load("f = lambda a: a * 3")["f"]

    assert digest(before) == digest(after)
    assert digest(before) != digest(other)


def test_lambdas_that_share_a_line_are_known_by_name(load: Load) -> None:
    names = load("f, g = lambda: 1, lambda: 2")

    other = load("f, g = lambda: 3, lambda: 4")

    assert digest(names["f"]) == digest(names["g"]) == digest(other["f"])


def test_typed_functions_without_a_file_are_told_apart_by_name() -> None:
    typed = compile("def f(): return 1\ndef g(): return 1", "<typed>", "exec")
    functions = [FunctionType(c, {}) for c in typed.co_consts if isinstance(c, CodeType)]

    assert len({digest(function) for function in functions}) == 2


def test_a_file_that_changed_since_does_not_raise(load: Load) -> None:
    function = load("\n\n\ndef f(): return 1")["f"]
    Path(function.__code__.co_filename).write_text("def (")

    assert len(digest(function)) == SIZE_BYTES


SOURCELESS: list[Any] = [len, dict, "".join, Adder, os.stat, functools.partial(len), object(), None]


@pytest.mark.parametrize("function", SOURCELESS)
def test_without_a_source_the_name_stands_in(function: Any) -> None:
    assert len(digest(function)) == SIZE_BYTES
    assert digest(function) == digest(function)


def test_different_functions_without_source_differ() -> None:
    assert digest(len) != digest(print)


def test_wrappers_that_wrap_each_other_do_not_hang() -> None:
    def first() -> None: ...
    def second() -> None: ...

    first.__wrapped__, second.__wrapped__ = second, first  # type: ignore[attr-defined]

    assert len(digest(first)) == SIZE_BYTES


def test_a_digest_does_not_keep_its_function_alive(load: Load) -> None:
    function = load("def f(): return 1")["f"]
    digest(function)
    alive = weakref.ref(function)

    del function
    gc.collect()

    assert alive() is None


def test_a_long_expression_does_not_overflow_the_stack() -> None:
    assert digest_source("x = " + " + ".join(["a"] * 900)) != digest_source("x = a")


def test_a_name_that_is_missing_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(NoSuchFunction, match=r"defines no 'g'; it has: f\.") as caught:
        digest_source("def f(): pass", "g")

    assert caught.value.code == "no_such_function"
    assert caught.value.known == ["f"]


def test_the_last_definition_of_a_name_counts_also_below_a_condition() -> None:
    source = "if x:\n def f(): return 1\nelse:\n def f(): return 2"

    assert digest_source(source, "f") == digest_source("def f(): return 2", "f")


def test_digests_are_the_same_for_ever_and_on_every_python_version() -> None:
    assert digest_source(SAMPLE).hex() == "c557f0a3987499dc7a4c3be9d6459ffd"
