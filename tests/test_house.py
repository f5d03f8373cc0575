"""The house rules that a program can check: layers, start-up, file sizes, names, and nothing of a machine."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "usfm").rglob("*.py"))
HEAVY = {
    "torch",
    "cv2",
    "timm",
    "ultralytics",
    "h5py",
    "scipy",
    "skimage",
    "sklearn",
    "matplotlib",
    "av",
    "onnxruntime",
}


def test_layers_hold():
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("arguments", [["--help"], ["extract", "--help"], ["pretrain", "--help"], ["eval", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; from usfm.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(re.findall(r"'(\w+)'", done.stderr))


def test_commands_on_stores_and_predictions_load_no_torch():
    """Importing torch takes seconds, and every worker process of a step would pay them again."""
    rooms = "extract.run curate.clean.run curate.dedup.run curate.sector.run inspect.info inspect.split.run "
    rooms += "inspect.select.run evaluate.run predict.run simulate.run inspect.encoders tasks"
    code = f"import sys, importlib\nfor room in {rooms.split()!r}:\n    importlib.import_module('usfm.' + room)\n"
    code += "    assert 'torch' not in sys.modules, room"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_a_page_with_a_first_line(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400, "look for the seam"
    assert text.lstrip().startswith('"""'), "a module's first line says what room this is"


def test_no_attic():
    attic = {"utils", "util", "misc", "base", "manager", "helpers", "common"}
    assert not [path for path in SOURCES if path.stem in attic or path.parent.name in attic]
    getters = [path for path in SOURCES if re.search(r"^ *def get_", path.read_text(), flags=re.M)]
    assert not getters


def test_top_level_holds_nothing_else():
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    if (ROOT / ".git").exists():  # what a user made there, such as the demo's folder, is not the project's
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        names &= {line.split("/")[0] for line in tracked.splitlines()}
    known = {"usfm", "tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}
    assert names - {"usfm_ultrasound.egg-info", "build", "dist"} <= known


def test_nothing_of_a_machine_or_registry_in_the_tree():
    # Spelt in pieces, or this file would be the first to fail.
    hosts = ["pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian"]
    folders = ["/" + "work/", "/" + "root/", "/" + "farm/"]
    bad = re.compile("|".join(re.escape(one) for one in hosts + folders))
    files = [p for d in ("usfm", "tests", "docs", ".ci") for p in (ROOT / d).rglob("*") if p.is_file()]
    files += [ROOT / name for name in ("README.md", "CHANGELOG.md", "pyproject.toml")]
    text_files = [path for path in files if path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".html", ""}]
    assert not [str(path) for path in text_files if bad.search(path.read_text(errors="ignore"))]


DESCRIBED = sorted({path.relative_to(ROOT / "usfm").with_suffix("").parts[0] for path in SOURCES})
"""Packages and modules in which every public function of two or more arguments has Args, and Returns where it gives."""

SEE = re.compile(r"See `(?:\w+\.)*(\w+)`")
"""How the docstring of a method begins that does what a contract says."""


def public_functions(tree, owner=None):
    """Public functions, and public methods of public classes, each with the class that holds it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield owner, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, node.name)


def described_by_contract(path, owner, function):
    """Whether it says "See `Class`" and that class describes it: in a contract.py of its family, or in its file.

    A method is described by the method of its name, a function (and a module's `forward`) by `__call__`. The contract's
    own methods are held to the rule like any others, so what they say is there to be read.
    """
    says = SEE.match(ast.get_docstring(function) or "")
    if not says or says[1] == owner:
        return False
    names = ("learner.py", "contract.py")
    contracts = {path, *(folder / name for folder in path.parents for name in names if (folder / name).is_file())}
    found = [one for contract in contracts for one in methods(ast.parse(contract.read_text()))]
    meant = "__call__" if owner is None or function.name == "forward" else function.name
    return (says[1], meant) in [(one, method.name) for one, method in found]


def methods(tree):
    """Methods of public classes, `__call__` among them, each with the name of its class."""
    for node in (one for one in ast.iter_child_nodes(tree) if isinstance(one, ast.ClassDef)):
        yield from ((node.name, one) for one in node.body if isinstance(one, ast.FunctionDef))


@pytest.mark.parametrize("package", DESCRIBED)
def test_arguments_and_results_are_described(package):
    lacking = []
    for path in (path for path in SOURCES if path.relative_to(ROOT / "usfm").with_suffix("").parts[0] == package):
        for owner, function in public_functions(ast.parse(path.read_text())):
            found = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            if len([one for one in found if one.arg not in ("self", "cls")]) < 2:
                continue
            text = ast.get_docstring(function) or ""
            gives = function.returns is not None and ast.unparse(function.returns) != "None"
            if "Args:" not in text or (gives and not re.search("Returns:|Yields:", text)):
                if not described_by_contract(path, owner, function):
                    lacking.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}")
    assert not lacking


def described_arguments(text):
    """The names that a docstring describes under Args, in order; None where it has no such section."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", text + "\n", flags=re.M)
    return section and re.findall(r"^    \**(\w+):", section[1], flags=re.M)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_described_are_the_functions_own_arguments(path):
    tree, wrong = ast.parse(path.read_text()), []
    methods = {one for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for one in node.body}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        given = function.args
        found = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
        names = [one.arg for one in found if one is not None]
        still = any(ast.unparse(one) == "staticmethod" for one in function.decorator_list)
        names = names[1:] if function in methods and not still else names
        described = described_arguments(ast.get_docstring(function) or "")
        if described is not None and described != names:
            wrong.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {described} for {names}")
    assert not wrong


OURS = {"UsfmError", "RequestError", "WorkError", "GateError", "Interrupted", "MediaError", "Damaged", "NotFinite"}
MAKERS = {"damaged", "missing_extra", "disk_error", "cannot_start", "incomplete"}
"""Our errors, and functions that make one."""


def raised(node):
    """Names of what a function raises itself, not in a function within it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(child, ast.Raise) and child.exc is not None:
            yield ast.unparse(child.exc.func if isinstance(child.exc, ast.Call) else child.exc).split(".")[-1]
        yield from raised(child)


@pytest.mark.parametrize("package", DESCRIBED)
def test_our_errors_are_described_where_they_are_raised(package):
    lacking = []
    for path in (path for path in SOURCES if path.relative_to(ROOT / "usfm").with_suffix("").parts[0] == package):
        for owner, function in public_functions(ast.parse(path.read_text())):
            said = "Raises:" in (ast.get_docstring(function) or "") or described_by_contract(path, owner, function)
            if not said and (OURS | MAKERS) & set(raised(function)):
                lacking.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}")
    assert not lacking


def test_a_method_is_excused_only_where_its_contract_describes_it(tmp_path):
    says = "class {}:\n    def made(self, a, b): 'See `Kind`.'\n    def other(self, a, b): 'See `Kind`.'\n"
    for name, owner in (("contract.py", "Kind"), ("one.py", "One")):
        (tmp_path / name).write_text(says.format(owner).replace("other", "more" if owner == "Kind" else "other"))
    excused = {
        (owner, function.name): described_by_contract(tmp_path / name, owner, function)
        for name in ("contract.py", "one.py")
        for owner, function in public_functions(ast.parse((tmp_path / name).read_text()))
    }
    assert [key for key, value in excused.items() if value] == [("One", "made")]
