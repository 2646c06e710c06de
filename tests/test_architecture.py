"""The rules of the house that a reader of the code can check, checked by reading the code.

Each test gathers every breach it finds, as ``file:line: what``, so that one run shows them all.
"""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from everyid.settings import PROJECT_FOLDER

FLOOR = "everyid"
COMPOSERS = {"footage"}
FRIENDS = {("clustering", "person")}
STARTERS = {"run", "bootstrap"}
NO_ROOM = {"tests", "benchmarks"}
HEAVY = {
    *("av", "cv2", "huggingface_hub", "openvino", "pyarrow", "safetensors", "supervision"),
    *("torch", "torchvision", "trackers", "transformers", "ultralytics"),
}
DEVICE_WORDS = re.compile(r"^torch\.(cuda|mps|xpu|accelerator|backends\.(cuda|mps))(\.|$)")
REGISTRIES = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|anaconda\.org|crates\.io")
OWN_PATHS = re.compile(r"(?<![\w.}])/(?:work|root)/")
LONGEST_FILE, LONGEST_FUNCTION, MOST_ARGUMENTS = 500, 50, 7


@dataclass(frozen=True)
class Module:
    """One source file of the project."""

    path: Path
    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_cli(self) -> bool:
        return "cli" in self.name.split(".")[1:]

    def at(self, node: ast.AST | int, what: str) -> str:
        line = node if isinstance(node, int) else getattr(node, "lineno", 0)
        return f"{self.path.relative_to(PROJECT_FOLDER)}:{line}: {what}"


@dataclass(frozen=True)
class Import:
    """One name that a file imports, as a dotted path."""

    target: str
    line: int
    at_top: bool
    for_types: bool


@cache
def rooms() -> tuple[str, ...]:
    found = {path.parent.name for path in PROJECT_FOLDER.glob("*/__init__.py")}
    return tuple(sorted(found - NO_ROOM))


def read(path: Path, name: str) -> Module:
    return Module(path, name, ast.parse(path.read_text(encoding="utf-8"), str(path)))


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT_FOLDER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def packages() -> tuple[Module, ...]:
    """Every file of every room."""
    paths = sorted(path for room in rooms() for path in (PROJECT_FOLDER / room).rglob("*.py"))
    return tuple(read(path, module_name(path)) for path in paths)


@cache
def sources() -> tuple[Module, ...]:
    """The rooms and the two files that start them."""
    return (*packages(), *(read(PROJECT_FOLDER / f"{name}.py", name) for name in sorted(STARTERS)))


@cache
def module_names() -> frozenset[str]:
    return frozenset(module.name for module in sources())


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(module: Module) -> Iterator[Import]:
    """All imports of a file; ``from a import b`` is ``a.b`` where that is a module, else ``a``."""

    def walk(node: ast.AST, at_top: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, at_top, for_types)
            elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
                for alias in child.names:
                    longer = f"{child.module}.{alias.name}"
                    target = longer if longer in module_names() else child.module
                    yield Import(target, child.lineno, at_top, for_types)
            else:
                yield from walk(child, at_top and not inside, for_types or is_type_checking(child))

    return walk(module.tree, True, False)


def dotted(node: ast.AST) -> str:
    """``torch.cuda.empty_cache`` for the node of it; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def no_breach(breaches: list[str], rule: str) -> None:
    found = "\n  ".join(sorted(set(breaches)))
    assert not breaches, f"{rule}:\n  {found}"


def may_import(importer: Module, target: str) -> bool:
    """Whether the direction run.py -> cli -> a domain's files -> everyid allows an import."""
    room = target.partition(".")[0]
    if room in STARTERS:
        return importer.name == "run"
    if room in NO_ROOM:
        return False
    if importer.name == "bootstrap":
        return room not in rooms()
    if importer.name == "run":
        return room not in rooms() or room == FLOOR or "cli" in target.split(".")
    if room not in rooms():
        return True
    if "cli" in target.split(".")[1:]:
        return importer.is_cli and room in {FLOOR, importer.room}
    friends = (importer.room, room) in FRIENDS or importer.room in COMPOSERS
    return room in {FLOOR, importer.room} or friends


def test_there_are_files_to_check():
    assert {"everyid.errors", "run", "bootstrap"} <= module_names()


def test_imports_go_one_way():
    breaches = [
        module.at(found.line, f"imports {found.target}")
        for module in sources()
        for found in imports(module)
        if not may_import(module, found.target)
    ]
    no_breach(breaches, "run.py -> cli.py -> the domain's files -> everyid, and no other way")


def test_no_import_cycles():
    edges = {
        module.name: {
            found.target
            for found in imports(module)
            if found.target in module_names() and not found.for_types
        }
        for module in sources()
    }
    done: set[str] = set()
    cycles: list[str] = []

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            cycles.append(" -> ".join((*way[way.index(name) :], name)))
        elif name not in done:
            for target in sorted(edges[name]):
                visit(target, (*way, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())
    no_breach(cycles, "imports run in a circle")


def importers_of(package: str, allowed: set[str]) -> list[str]:
    return [
        module.at(found.line, f"imports {found.target}")
        for module in sources()
        for found in imports(module)
        if found.target.partition(".")[0] == package
        and not (module.name in allowed or (module.is_cli and "*.cli" in allowed))
    ]


def test_only_the_command_line_knows_typer():
    breaches = importers_of("typer", {"run", "*.cli", "everyid.output"})
    no_breach(
        breaches + importers_of("click", set()), "only run.py, cli.py and output.py use Typer"
    )


def test_only_hub_imports_huggingface_hub():
    no_breach(importers_of("huggingface_hub", {"everyid.hub"}), "ask everyid/hub.py instead")


def test_only_quantise_imports_nncf():
    no_breach(importers_of("nncf", {"everyid.quantise"}), "ask everyid/quantise.py instead")


def test_only_settings_reads_the_environment():
    allowed = {"everyid.settings", *STARTERS}
    words = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    breaches = [
        module.at(node, ast.unparse(node))
        for module in packages()
        if module.name not in allowed
        for node in ast.walk(module.tree)
        if dotted(node) in words
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(f"os.{alias.name}" in words for alias in node.names)
        )
    ]
    no_breach(breaches, "only everyid/settings.py and the bootstrap read the environment")


def test_only_device_asks_torch_about_devices():
    breaches = [
        module.at(node, ast.unparse(node))
        for module in packages()
        if module.name != "everyid.device"
        for node in ast.walk(module.tree)
        if DEVICE_WORDS.match(dotted(node))
    ]
    breaches += [
        module.at(found.line, f"imports {found.target}")
        for module in packages()
        if module.name != "everyid.device"
        for found in imports(module)
        if DEVICE_WORDS.match(found.target)
    ]
    no_breach(breaches, "only everyid/device.py asks torch about devices")


def test_imports_are_absolute_and_never_hide_object():
    breaches = []
    for module in sources():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                breaches.append(module.at(node, "a relative import"))
            names = node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
            for alias in names:
                bound = alias.asname or alias.name.partition(".")[0]
                if bound == "object":
                    breaches.append(module.at(node, "hides the builtin: `import object`"))
    no_breach(breaches, "absolute imports, written `from object.x import y`")


def test_cli_files_import_nothing_heavy_at_their_top():
    breaches = [
        module.at(found.line, f"imports {found.target}")
        for module in packages()
        if module.is_cli
        for found in imports(module)
        if found.at_top and not found.for_types and found.target.partition(".")[0] in HEAVY
    ]
    no_breach(breaches, "a command imports its heavy files inside its body")


def test_files_are_short():
    breaches = []
    for module in sources():
        lines = len(module.path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            breaches.append(module.at(lines, f"{lines} lines"))
    no_breach(breaches, f"a file has at most {LONGEST_FILE} lines")


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    start = (first.end_lineno or first.lineno) + 1 if documented else first.lineno
    return (function.end_lineno or start) - start + 1


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether Typer calls it: its arguments are the options of a command."""
    decorators = (node.func for node in function.decorator_list if isinstance(node, ast.Call))
    return any(dotted(node).endswith((".command", ".callback")) for node in decorators)


def test_functions_are_short_and_take_few_arguments():
    breaches = []
    for module in sources():
        for function in functions(module):
            lines = body_lines(function)
            if lines > LONGEST_FUNCTION:
                breaches.append(module.at(function, f"{function.name} has {lines} lines"))
            arguments = function.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            count = len([one for one in every if one.arg not in {"self", "cls"}])
            if count > MOST_ARGUMENTS and not (module.is_cli and is_command(function)):
                breaches.append(module.at(function, f"{function.name} takes {count} arguments"))
    rule = (
        f"at most {LONGEST_FUNCTION} lines and {MOST_ARGUMENTS} arguments (but commands: options)"
    )
    no_breach(breaches, rule)


def bound_names(module: Module) -> set[str]:
    """What a file defines or imports at its top."""
    names: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def exported(module: Module) -> list[str] | None:
    """The module's ``__all__``, or None without one."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and dotted(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def export_order(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions: the order that ruff keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_floor_modules_export_all_that_is_public():
    breaches = []
    for module in packages():
        if module.room != FLOOR or module.is_cli or module.path.name == "__init__.py":
            continue
        names = exported(module)
        if names is None:
            breaches.append(module.at(1, "has no __all__"))
            continue
        public = {
            node.name
            for node in module.tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
        }
        forgotten, unknown = public - set(names), set(names) - bound_names(module)
        if forgotten:
            breaches.append(module.at(1, f"__all__ lacks {', '.join(sorted(forgotten))}"))
        if unknown:
            breaches.append(module.at(1, f"__all__ has {', '.join(sorted(unknown))}, unknown here"))
        if names != sorted(names, key=export_order):
            breaches.append(module.at(1, "__all__ is not sorted"))
    no_breach(breaches, "__all__ is sorted and has every public function and class")


def is_blind(module: Module, handler: ast.ExceptHandler) -> bool:
    """Whether it catches everything, does not raise it again, and gives no reason why."""
    if (
        "noqa: BLE001 - "
        in module.path.read_text(encoding="utf-8").splitlines()[handler.lineno - 1]
    ):
        return False
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    everything = {"Exception", "BaseException"}
    if not any(one is None or dotted(one) in everything for one in caught):
        return False
    return not any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def test_no_print_assert_or_blind_except():
    breaches = []
    for module in sources():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and dotted(node.func) == "print":
                breaches.append(module.at(node, "print(): use everyid.output"))
            elif isinstance(node, ast.Assert):
                breaches.append(module.at(node, "assert: raise an EveryIDError"))
            elif isinstance(node, ast.ExceptHandler) and is_blind(module, node):
                breaches.append(module.at(node, "catches everything: name the errors"))
    no_breach(breaches, "no print, no assert, no blind except in what users run")


def test_tests_mirror_the_packages():
    tests = [read(path, module_name(path)) for path in (PROJECT_FOLDER / "tests").rglob("*.py")]
    imported = {found.target for module in tests for found in imports(module)}
    stems = {path.stem for path in (module.path for module in tests)}
    breaches = []
    for module in packages():
        has_code = any(isinstance(node, ast.FunctionDef) for node in ast.walk(module.tree))
        last = module.name.rpartition(".")[2]
        # A folder of small files may have one test file: detectors/yolo.py, test_detectors.py;
        # so may files of one prefix: media_image.py, test_media.py.
        names = [f"test_{part}" for part in module.name.split(".")[1:]]
        named = any(
            stem == name or stem.startswith(f"{name}_") or name.startswith(f"{stem}_")
            for stem in stems
            for name in names
        )
        if has_code and module.name not in imported and not named:
            breaches.append(module.at(1, f"no tests/**/test_{last}.py, and no test imports it"))
    for module in tests:
        folder = module.path.parent.relative_to(PROJECT_FOLDER / "tests").parts
        if folder and folder[0] not in {*rooms(), "reference", "golden"}:
            breaches.append(module.at(1, f"tests/{folder[0]} mirrors no package"))
    no_breach(breaches, "tests mirror the packages")


def text_files() -> list[Path]:
    """What git tracks, or would track."""
    git = shutil.which("git")
    if git is None or not (PROJECT_FOLDER / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        check=True,
    )
    paths = (PROJECT_FOLDER / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_no_registry_hosts_and_no_paths_of_one_machine():
    breaches = []
    for path in text_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            for rule in (REGISTRIES, OWN_PATHS):
                if found := rule.search(line):
                    where = path.relative_to(PROJECT_FOLDER)
                    breaches.append(f"{where}:{number}: {found.group()}")
    no_breach(breaches, "tracked text names no package registry and no path of one machine")
