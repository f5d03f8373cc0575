"""The table of commands: one row each; the module that does the work is imported when it is called."""

from dataclasses import dataclass
from importlib import import_module

from usfm.config import Request


@dataclass(frozen=True)
class Command:
    """One command as the front door knows it.

    Args:
        name: What the user types.
        sentence: The one sentence that says what it does.
        package: Holds ``config.Config`` (the settings) and ``run.run`` (the work), which takes (config, request) and
            returns the summary that ``--json`` prints.
        examples: Lines to type, for ``--help``.
        inputs: How the inputs are given: ``--in``, as arguments with this name, or not at all.
        arguments: Settings that are arguments instead of flags, with the name that help shows.
        required: Settings that must be given, for ``--help``; the work says what it lacks.
        without: Fields of ``Request`` that have no meaning here, so that the option is absent.
        settings: Module of the settings, where it is another; its function ``check``, if it has one, refuses at once
            what needs no library to be seen.
        work: Module of the work, where it is another; one of the front door's own has its whole name.
    """

    name: str
    sentence: str
    package: str
    examples: tuple[str, ...]
    inputs: str = "--in"
    arguments: tuple[tuple[str, str], ...] = ()
    required: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    settings: str = "config"
    work: str = "run"

    @property
    def config(self) -> type:
        """The dataclass of the settings."""
        return import_module(f"{self.package}.{self.settings}").Config

    def run(self, config: object, request: Request) -> dict:
        """Do the work; this is where heavy libraries are imported, after what can be checked without them.

        Args:
            config: of the class `config`.
            request: the common options.

        Returns:
            The summary that ``--json`` prints.
        """
        if check := getattr(import_module(f"{self.package}.{self.settings}"), "check", None):
            check(config)
        work = self.work if self.work.startswith("usfm.") else f"{self.package}.{self.work}"
        return import_module(work).run(config, request)


_ROWS = (
    Command(
        "simulate",
        "Make ultrasound clips by physics, with the truth beside them.",
        "usfm.simulate",
        (
            "usfm simulate --out clips --clips 24 --patients 8",
            "usfm simulate --out clips --probe convex --scene heart --format png",
        ),
        inputs="",
        required=("out",),
        without=("cluster", "device"),
    ),
    Command(
        "extract",
        "Turn videos, DICOM files, volumes and images into a store.",
        "usfm.extract",
        (
            "usfm extract clips --out raw.h5 --manifest meta.csv",
            "usfm extract scans --out raw.h5 --labels folder --fps all",
        ),
        inputs="SRC...",
        required=("out",),
        without=("device",),
    ),
    Command(
        "clean",
        "Find burnt-in text and coloured markers, and fill them in.",
        "usfm.curate.clean",
        ("usfm clean raw.h5", "usfm clean --in raw.h5 --out clean.h5 --report clean-report"),
        without=("device",),
    ),
    Command(
        "dedup",
        "Keep one frame of each group of near-duplicates.",
        "usfm.curate.dedup",
        ("usfm dedup raw.clean.h5", "usfm dedup --in raw.clean.h5 --against test.h5 --report dedup-report"),
    ),
    Command(
        "sector",
        "Find the acoustic region, cut frames of one size.",
        "usfm.curate.sector",
        (
            "usfm sector raw.clean.dedup.h5 --out sector.h5",
            "usfm sector --in raw.clean.dedup.h5 --out sector.h5 --size 224",
        ),
        without=("device",),
    ),
    Command(
        "split",
        "Split a store into train, val and test, or into folds, so that no patient is on two sides.",
        "usfm.inspect.split",
        (
            "usfm split raw.h5 --fractions 0.7,0.15,0.15",
            "usfm split --in raw.h5 --out folds.h5 --folds 5 --by-duplicates",
            "usfm split --in raw.h5 --out official.h5 --splits train_val.json --splits test.json",
        ),
        without=("device",),
    ),
    Command(
        "select",
        "Take some frames of one store or several into a new one, or withdraw a patient from them.",
        "usfm.inspect.select",
        (
            "usfm select raw.h5 --out lung.h5 --where \"dataset == 'pocus' and class in ['covid', 'regular']\"",
            "usfm select --in a.h5 --in b.h5 --out both.h5 --cap 2000 --cap-by dataset",
            "usfm select raw.h5 --out without.h5 --withdraw 'Doe Jane' --salt lab.key --search .",
        ),
        without=("device",),
    ),
    Command(
        "pretrain",
        "Pretrain an encoder on a sector store by masked image modelling.",
        "usfm.pretrain",
        (
            "usfm pretrain --in sector.h5 --out runs/polarmae",
            "usfm pretrain --in sector.h5 --out runs/mae --recipe mae --epochs 100 --device cuda",
        ),
        required=("out",),
        without=("cluster",),
    ),
    Command(
        "finetune",
        "Fit a downstream task on top of an encoder.",
        "usfm.finetune",
        (
            "usfm finetune classify --in sector.h5 --encoder runs/polarmae --out runs/probe",
            "usfm finetune classify --in sector.h5 --encoder random:runs/polarmae --out runs/random --folds 5",
        ),
        arguments=(("task", "TASK"),),
        required=("encoder", "out"),
        without=("cluster",),
    ),
    Command(
        "eval",
        "Measure runs with intervals and write the report.",
        "usfm.evaluate",
        (
            "usfm eval runs/probe --out report",
            "usfm eval runs/probe runs/random --in sector.h5 --out report --compare",
            "usfm eval --predictions mine.csv --out report --by site",
        ),
        inputs="[RUN]...",
        required=("out",),
        without=("cluster",),
    ),
    Command(
        "predict",
        "Let a finished run score frames that nobody has labelled.",
        "usfm.predict",
        (
            "usfm predict --in new.h5 --run runs/probe --out predicted.h5",
            "usfm predict --in new.h5 --run runs/probe --out predicted.h5 --table predicted.csv",
            "usfm predict --in clips/ --run runs/probe --out predicted.h5",
        ),
        required=("run",),
        work="usfm.cli.predicting",
        without=("cluster",),
    ),
    Command(
        "embed",
        "Turn the frames of a store into vectors.",
        "usfm.embed",
        (
            "usfm embed --in sector.h5 --encoder runs/polarmae --out features.h5",
            "usfm embed --in sector.h5 --encoder runs/polarmae --out features.csv",
        ),
        required=("encoder", "out"),
        without=("cluster",),
    ),
    Command(
        "export",
        "Hand a run's encoder or a store's frames and labels to other programs.",
        "usfm.inspect",
        (
            "usfm export runs/polarmae --to timm --out encoder.safetensors",
            "usfm export runs/polarmae --to onnx --which best --out encoder.onnx",
            "usfm export labelled.h5 --to coco --out for-annotators",
        ),
        inputs="RUN|STORE",
        without=("cluster", "device", "workers", "seed"),
        settings="export_config",
        work="export_any",
    ),
    Command(
        "info",
        "Say what is in a store or a run and where it came from.",
        "usfm.inspect",
        ("usfm info sector.h5 --sheet sheet.png", "usfm info runs/polarmae", "usfm info raw.h5 --verify"),
        inputs="PATH...",
        without=("out", "overwrite", "cluster", "device", "seed", "dry_run", "workers"),
        work="info",
    ),
    Command(
        "encoders",
        "List the weight files of others that can be read, or say how an encoder is read.",
        "usfm.inspect",
        ("usfm encoders", "usfm encoders UltraSam.pth", "usfm encoders 'weights.pth?family=medsam'"),
        inputs="[SPEC]...",
        without=("out", "overwrite", "cluster", "device", "seed", "dry_run", "workers", "strict"),
        settings="encoders_config",
        work="encoders",
    ),
    Command(
        "catalogue",
        "List public collections, or say what is known of one.",
        "usfm.extract",
        ("usfm catalogue", "usfm catalogue bus-bra", "usfm catalogue hc18 --json"),
        inputs="[NAME]...",
        without=("out", "overwrite", "cluster", "device", "seed", "dry_run", "workers", "strict"),
        settings="catalogue_config",
        work="catalogue",
    ),
    Command(
        "doctor",
        "Say what works on this machine and how to mend the rest.",
        "usfm.inspect",
        ("usfm doctor", "usfm doctor --json"),
        inputs="",
        without=("out", "overwrite", "cluster", "device", "seed", "dry_run", "workers", "strict"),
        settings="doctor_config",
        work="doctor",
    ),
    Command(
        "demo",
        "Run the whole chain on simulated clips.",
        "usfm.cli",
        ("usfm demo", "usfm demo --out try --clips 24"),
        inputs="",
        without=("cluster", "device", "workers"),
        settings="demo",
        work="demo",
    ),
)

COMMANDS = {row.name: row for row in _ROWS}
"""By name, in the order of ``usfm --help``."""
