"""Published benchmarks: which collection, which split, the paper's protocol as far as it is known, and its numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.toml import names_in, read_toml

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Published:
    """One number of a paper.

    Attributes:
        model: Whose.
        metric: Of which measure.
        value: As published, in percent.
        source: The paper.
        caveat: Why it may not compare with a number of ours; "" for none known.
    """

    model: str
    metric: str
    value: float
    source: str
    caveat: str = ""


@dataclass(frozen=True)
class Benchmark:
    """A published benchmark.

    Attributes:
        name: Of its file.
        title: What it is.
        task: ``classify``, ``segment`` or ``detect``.
        layout: Of the collection, as ``extract --layout`` knows it, which is also the dataset of its sources; "" where
            nobody knows which collection it is.
        classes: Names of the classes that count, in order; empty for all.
        test: The part that the papers measure on: ``test``, or ``val`` where the collection has no other; "" where
            no paper says which pictures it is.
        folds: Column of the store that says the fold of each source; "" where the split is that of the store.
        metric: The measure that the papers put first.
        settings: Setting of ``finetune`` -> value, as far as a paper says it.
        shares: Datasets that hold the same pictures, which must not be in pretraining.
        caveats: What makes its published numbers hard to compare.
        unknown: What of the protocol no paper says.
        published: Numbers of papers.
        tasks: All that papers measure on the same pictures and the same split, this one first.
    """

    name: str
    title: str
    task: str
    layout: str
    classes: tuple[str, ...] = ()
    test: str = "test"
    folds: str = ""
    metric: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    shares: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    tasks: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it can be run: its collection is known."""
        return bool(self.layout)


def names() -> tuple[str, ...]:
    """Return the names of all benchmarks."""
    return names_in(FOLDER)


@cache
def load(name: str, task: str = "") -> Benchmark:
    """Read a benchmark.

    Args:
        name: Of its file.
        task: For which it is asked, where its pictures serve several.

    Returns:
        The benchmark; of its first task where it has none of that name.

    Raises:
        RequestError: If there is none of this name.

    Example:
        >>> one = load("fetal-planes")
        >>> one.task, one.layout, max(row.value for row in one.published)
        ('classify', 'fetal-planes', 96.46)
    """
    if name not in names():
        raise RequestError(
            f"--benchmark {name}: no benchmark is called so{did_you_mean(name, names())}; there are "
            f"{', '.join(names())}."
        )
    table = read_toml(FOLDER / f"{name}.toml", "benchmark")
    also = table.pop("also", {})
    tasks = (table["task"], *also)
    if task in also:
        table |= {"metric": "", "classes": [], "unknown": [], "published": [], **also[task], "task": task}
    rows = tuple(Published(**row) for row in table.pop("published", ()))
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Benchmark(name=name, published=rows, tasks=tasks, **plain)


def runnable(name: str, datasets: Iterable[str], *, task: str = "", where: str = "the store") -> Benchmark:
    """Read a benchmark that a store is to be measured by.

    Args:
        name: Of the benchmark.
        datasets: Of the sources of the store.
        task: See `load`.
        where: What to call the store in a sentence.

    Returns:
        The benchmark.

    Raises:
        RequestError: If nobody knows its collection, or the store holds another one, or more than it.
    """
    found, held = load(name, task), sorted(set(datasets))
    if not found.runs:
        raise RequestError(f"--benchmark {name}: it cannot be run, since {found.caveats[0]}.")
    if held != [found.layout]:
        shown = ", ".join(one or "(none)" for one in held[:3]) + (", ..." if len(held) > 3 else "")
        raise RequestError(
            f"{where}: holds the dataset {shown}, and --benchmark {name} is of {found.layout} alone; make it with "
            f"usfm extract FOLDER --layout {found.layout}."
        )
    return found
