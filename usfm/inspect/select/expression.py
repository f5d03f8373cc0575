"""A condition on the columns of a store: read as Python is, and never run as Python.

or, and, not    == != < <= > >=    in, not in (a list, or a text within a text)    texts, numbers, True, False
a column by its name, `value.ef`, `multi.polyp`, `score.ill`, or column('any name')
.startswith(), .endswith(), .contains(), .lower() of a text; known(column)
"""

import ast
import io
import keyword
import tokenize
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from usfm.config import did_you_mean
from usfm.errors import RequestError

LONGEST, MOST_NODES, DEEPEST = 10_000, 2_000, 40
"""Letters, pieces and levels of a condition; more is no condition that a person wrote."""

Column = Callable[[str], np.ndarray]
_COMPARE = {ast.Eq: np.equal, ast.NotEq: np.not_equal, ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater,
            ast.GtE: np.greater_equal}  # fmt: skip
_TESTS = ("startswith", "endswith", "contains")
_HELP = "it takes column names, texts and numbers with ==, !=, <, <=, >, >=, in, and, or, not; see docs/subsets.md"


def parsed(text: str) -> ast.expr:
    """Read a condition, and see that it holds nothing but what this module knows.

    Args:
        text: As the user typed it.

    Raises:
        RequestError: It is too long or too deep, no expression, or asks for more.

    Examples:
        >>> ast.unparse(parsed("class == 'ill' and not patient"))
        "class_ == 'ill' and (not patient)"
    """
    shown = text if len(text) <= 60 else text[:57] + "..."
    if len(text) > LONGEST:
        raise RequestError(f"--where: {len(text):,} letters are too many for a condition; shorten it.")
    try:
        spelt, brackets = _spelt(text.strip())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has opinions on what it would run
            tree = ast.parse(spelt if brackets <= DEEPEST else "", mode="eval").body
        nodes = list(ast.walk(tree))
        depth = _depth(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        raise RequestError(f"--where {shown!r}: is no condition; {_HELP}.") from None
    if len(nodes) > MOST_NODES or depth > DEEPEST:
        raise RequestError(f"--where {shown!r}: is too long or too deeply nested for a condition; shorten it.")
    _Grammar(shown).condition(tree)
    return tree


def _spelt(text: str) -> tuple[str, int]:
    """Let columns be called as Python's own words are: `class` becomes `class_`; and how deep brackets go."""
    words = {"True", "False", "None", "and", "or", "not", "in"}
    tokens, open_, deepest = [], 0, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        own = token.type == tokenize.NAME and keyword.iskeyword(token.string) and token.string not in words
        if token.type == tokenize.OP:
            open_ += (token.string in "([{") - (token.string in ")]}")
        deepest = max(deepest, open_)
        tokens.append((token.type, token.string + "_" if own else token.string))
    return tokenize.untokenize(tokens).strip(), deepest


def _depth(tree: ast.AST) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        if deepest > DEEPEST:
            return deepest
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return deepest


@dataclass(frozen=True)
class _Grammar:
    """Refuses every kind of node but the few that `matches` evaluates."""

    shown: str

    def refuse(self, what: str) -> None:
        raise RequestError(f"--where {self.shown!r}: {what}; {_HELP}.")

    def condition(self, node: ast.expr) -> None:
        if isinstance(node, ast.BoolOp):
            for one in node.values:
                self.condition(one)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.condition(node.operand)
        elif isinstance(node, ast.Compare):
            self.operand(node.left)
            for operator, one in zip(node.ops, node.comparators, strict=True):
                self.compared(operator, one)
        else:
            self.operand(node)

    def compared(self, operator: ast.cmpop, one: ast.expr) -> None:
        if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(one, (ast.List, ast.Tuple, ast.Set)):
            for item in one.elts:
                if not isinstance(item, ast.Constant):
                    self.refuse("a list after 'in' holds texts and numbers only")
                self.operand(item)
        elif isinstance(operator, (*_COMPARE, ast.In, ast.NotIn)):
            self.operand(one)
        else:
            self.refuse("'is' compares no columns; write ==")

    def operand(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, (str, int, float)):
                self.refuse("None, bytes and the like are no values of a column")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and _number(node.operand):
            return
        elif isinstance(node, ast.Call) and _name_of(node) is None:
            self.call(node)
        elif _name_of(node) is None:
            self.refuse("it has something that is no column, text or number")

    def call(self, node: ast.Call) -> None:
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            self.refuse("a function here takes one value")
        if isinstance(node.func, ast.Attribute) and node.func.attr in (*_TESTS, "lower"):
            wanted = 0 if node.func.attr == "lower" else 1
            if len(node.args) != wanted or not all(_texts(one) for one in node.args):
                self.refuse(f"{node.func.attr}() takes {'a text' if wanted else 'nothing'}")
            self.operand(node.func.value)
        elif isinstance(node.func, ast.Name) and node.func.id == "known" and len(node.args) == 1:
            self.operand(node.args[0])
        else:
            self.refuse("it calls something, which a condition cannot")


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)


def _texts(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple):
        return all(_texts(one) for one in node.elts)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _name_of(node: ast.AST) -> str | None:
    """The column that a node names, None where it names none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}/{node.attr}" if node.value.id in ("value", "score", "multi") else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "column":
        only = node.args[0] if len(node.args) == 1 and not node.keywords else None
        return only.value if isinstance(only, ast.Constant) and isinstance(only.value, str) else None
    return None


def names_in(tree: ast.expr) -> set[str]:
    """The columns that a condition asks about."""
    inside = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _name_of(node)}
    found = {_name_of(node) for node in ast.walk(tree) if id(node) not in inside}
    return {name for name in found if name is not None}


def refuse_unknown(tree: ast.expr, known: list[str]) -> None:
    """See that the store has every column that a condition asks about.

    Args:
        tree: Of the condition.
        known: Columns of the store.

    Raises:
        RequestError: Names the first that it has not.
    """
    for name in sorted(names_in(tree)):
        if name.removesuffix("_") not in known and name not in known:
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise RequestError(f"--where: there is no column '{name[:60]}'{hint}")


# ---------------------------------------------------------------- what it gives


def matches(tree: ast.expr, column: Column, frames: int) -> np.ndarray:
    """Which frames a condition holds for.

    Args:
        tree: From `parsed`.
        column: Gives a column of the store by its name: (N,) texts as objects, numbers, or bool.
        frames: N.

    Returns:
        (N,) bool.

    Raises:
        RequestError: A text is compared with a number.
    """
    return np.broadcast_to(_truth(_Values(column, frames).of(tree)), (frames,)).copy()


def _truth(values: np.ndarray) -> np.ndarray:
    """What counts as true: a text that is not empty, a number that is neither 0 nor unknown."""
    values = np.asarray(values)
    if values.dtype.kind in "OU":
        return values != ""
    return (values != 0) & ~np.isnan(values) if values.dtype.kind == "f" else values.astype(bool)


class _Values:
    """Evaluates the few kinds of node that `_check` lets through."""

    def __init__(self, column: Column, frames: int):
        self._column, self._frames = column, frames

    def of(self, node: ast.expr) -> np.ndarray:
        name = _name_of(node)
        if name is not None:
            return np.asarray(self._column(name))
        if isinstance(node, ast.Constant):
            return _constant(node.value)  # pyright: ignore[reportArgumentType]  `_check` lets no other kind through
        if isinstance(node, ast.BoolOp):
            parts = [_truth(self.of(one)) for one in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            whole = parts[0]
            for part in parts[1:]:
                whole = join(whole, part)
            return whole
        if isinstance(node, ast.UnaryOp):
            inner = self.of(node.operand)
            return ~_truth(inner) if isinstance(node.op, ast.Not) else -inner
        if isinstance(node, ast.Compare):
            return self._compare(node)
        assert isinstance(node, ast.Call)
        return self._call(node)

    def _compare(self, node: ast.Compare) -> np.ndarray:
        left, whole = self.of(node.left), np.ones((), bool)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)):
                found = self._within(left, right)
                found = ~found if isinstance(operator, ast.NotIn) else found
                left = np.zeros((), bool)
            else:
                other = self.of(right)
                found = _compared(_COMPARE[type(operator)], left, other)
                left = other
            whole = whole & found
        return whole

    def _within(self, left: np.ndarray, right: ast.expr) -> np.ndarray:
        if isinstance(right, (ast.List, ast.Tuple, ast.Set)):
            found = np.zeros(left.shape, bool)
            for item in right.elts:
                found = found | _compared(np.equal, left, self.of(item))
            return found
        whole = self.of(right)
        if left.dtype.kind not in "OU" or whole.dtype.kind not in "OU":
            raise RequestError("--where: 'in' looks for a text within a text, or in a list such as ['a', 'b'].")
        pairs = np.broadcast(left, whole)
        return np.fromiter((a in b for a, b in pairs), bool, pairs.size).reshape(pairs.shape)

    def _call(self, node: ast.Call) -> np.ndarray:
        if isinstance(node.func, ast.Name):
            values = self.of(node.args[0])
            return values != "" if values.dtype.kind in "OU" else ~np.isnan(values.astype(float))
        assert isinstance(node.func, ast.Attribute)
        name, values = node.func.attr, self.of(node.func.value)
        if values.dtype.kind not in "OU":
            raise RequestError(f"--where: {name}() is of texts, and this column holds numbers.")
        if name == "lower":
            return _each(values, str.lower, object)
        wanted = ast.literal_eval(node.args[0])
        many = wanted if isinstance(wanted, tuple) else (wanted,)
        if name == "contains":
            return _each(values, lambda text: any(one in text for one in many), bool)
        test = str.startswith if name == "startswith" else str.endswith
        return _each(values, lambda text: test(text, many), bool)


def _constant(value: str | int | float) -> np.ndarray:
    if isinstance(value, str):
        text = np.empty((), object)
        text[()] = value
        return text
    try:
        return np.asarray(value if isinstance(value, bool) else float(value))
    except OverflowError:
        raise RequestError("--where: a number is too large.") from None


def _each(values: np.ndarray, function: Callable, dtype: type) -> np.ndarray:
    found = np.empty(values.size, dtype)
    found[:] = [function(str(one)) for one in values.reshape(-1).tolist()]
    return found.reshape(values.shape)


def _compared(compare: Callable, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compare texts with texts and numbers with numbers; a column of texts that are numbers may be either."""
    text = [one.dtype.kind in "OU" for one in (left, right)]
    if text[0] != text[1]:
        values = [_numbers(one) if is_text else one for one, is_text in zip((left, right), text, strict=True)]
        return np.asarray(compare(values[0], values[1]), bool)
    return np.asarray(compare(left, right), bool)


def _numbers(values: np.ndarray) -> np.ndarray:
    """Texts as numbers, NaN where they are none."""
    if values.ndim == 0:
        raise RequestError(
            f"--where: '{str(values)[:40]}' is a text, and the column holds numbers; leave the quotes out."
        )

    def number(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return float("nan")

    return _each(values, number, float)
