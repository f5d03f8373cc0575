"""Settings that a benchmark or a preset gives; what the user types wins, and the card says which are whose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from usfm import console
from usfm.errors import RequestError
from usfm.finetune import presets
from usfm.finetune.asked import spelled
from usfm.finetune.config import TRAINED, Config
from usfm.store.reader import Store
from usfm.tasks import benchmarks
from usfm.tasks.benchmarks import Benchmark
from usfm.trials import fields_of

INSTEAD = {"steps": "epochs", "epochs": "steps"}
"""Settings of which one stands for the other: a typed one leaves no room for it."""


@dataclass(frozen=True)
class Applied:
    """A command's settings, once a benchmark and a preset have filled in what was not typed.

    Attributes:
        config: the settings.
        said: for the card: which of them came from where, and how that differs from the paper.
        benchmark: that was asked for, None for none.
    """

    config: Config
    said: dict = field(default_factory=dict)
    benchmark: Benchmark | None = None


def applied(config: Config) -> Applied:
    """Fill in what a preset says, then what a benchmark says, of settings that were not typed.

    Args:
        config: as typed.

    Returns:
        The settings and where they came from.

    Raises:
        RequestError: an unknown name, a benchmark of another task, or a preset for a probe.
    """
    config = spelled(config)
    said, benchmark, typed = {}, None, config.protocol
    if config.preset:
        preset = presets.load(config.preset, config.task)
        if typed is not None and typed not in TRAINED:
            raise RequestError(
                f"--preset {preset.name} trains a network and --protocol {typed} does not; leave one out"
            )
        config, used = _filled(config, preset.settings)
        said["preset"] = {"name": preset.name, "settings": used, "differs": list(preset.differs)}
    if config.benchmark:
        benchmark = benchmarks.load(config.benchmark, config.task)
        if benchmark.task != config.task:
            ways = " or ".join(f"'usfm finetune {task}'" for task in benchmark.tasks)
            raise RequestError(f"--benchmark {benchmark.name}: is one of {' and '.join(benchmark.tasks)}; take {ways}")
        probes = config.protocol is not None and config.protocol not in TRAINED
        config, used = _filled(config, _of_benchmark(config, benchmark) | ({} if probes else benchmark.settings))
        about = {name: list(asdict(benchmark)[name]) for name in ("caveats", "unknown")}
        said["benchmark"] = {"name": benchmark.name, "settings": used, "official_split": _official(config, benchmark),
                             **about}  # fmt: skip
    return Applied(config, said, benchmark)


def check_store(benchmark: Benchmark, config: Config, store: Store) -> None:
    """Refuse a store that a benchmark cannot be run on, and say what will not compare with published numbers.

    Args:
        benchmark: that was asked for.
        config: the settings.
        store: of the frames.

    Raises:
        RequestError: it is of another collection, or lacks the split that the papers use.
    """
    benchmarks.runnable(benchmark.name, store.of_frames("dataset"), task=benchmark.task, where=store.paths[0])
    if not _official(config, benchmark):
        console.warn(f"--benchmark {benchmark.name}: not on the published split, so published numbers do not compare")
    elif benchmark.folds:
        if benchmark.folds not in store.source_columns:
            raise RequestError(
                f"{store.paths[0]}: has no column '{benchmark.folds}', which holds the folds of --benchmark "
                f"{benchmark.name}; make it anew with usfm extract FOLDER --layout {benchmark.layout}"
            )
    elif not {"train", benchmark.test} <= set(store.split()):
        raise RequestError(
            f"{store.paths[0]}: has no parts train and {benchmark.test}, which --benchmark {benchmark.name} is "
            f"measured on; make it anew with usfm extract FOLDER --layout {benchmark.layout}, or give --folds"
        )


def _of_benchmark(config: Config, benchmark: Benchmark) -> dict[str, object]:
    """Its split and its classes, as settings."""
    found: dict[str, object] = {}
    if benchmark.classes and config.task == "classify":
        found["classes"] = benchmark.classes
    if benchmark.folds and config.folds is None:
        found["splits"] = (benchmark.folds,)
    return found


def _official(config: Config, benchmark: Benchmark) -> bool:
    """Whether the published split is used: its column of folds, or the parts of the store."""
    wanted = (benchmark.folds,) if benchmark.folds else ()
    return bool(benchmark.folds or benchmark.test) and config.folds is None and config.splits == wanted


def _filled(config: Config, values: Mapping[str, object]) -> tuple[Config, dict]:
    """Settings with values for those that were not typed, and the values that were used."""
    plain, names = Config(), {item.name for item in fields(Config)}
    typed = {name for name in names if getattr(config, name) != getattr(plain, name)}
    typed |= {*fields_of(config.set), *fields_of(config.sweep)}
    used = {key: value for key, value in values.items() if not {key, INSTEAD.get(key, key)} & typed}
    lists = {key: value for key, value in used.items() if isinstance(value, list)}
    own = {key: value for key, value in used.items() if key in names and key not in lists}
    rest = [f"{key}={value}" for key, value in used.items() if key not in own and key not in lists]
    sweeps = [f"{key}={','.join(map(str, value))}" for key, value in lists.items()]
    config = replace(config, **own, set=(*rest, *config.set), sweep=(*config.sweep, *sweeps))
    return config, {key: list(value) if isinstance(value, tuple) else value for key, value in used.items()}
