"""Mutation testing: break one place of the source at a time and see whether its tests notice.

    python scripts/mutate.py                    all modules of `MIRRORS`, 500 seconds in all
    python scripts/mutate.py attention/gate.py  one of them
    python scripts/mutate.py --survivors        what was not noticed, as lines of source

A mutant is one changed comparison, sum, product, constant, `and`/`or`, `not`, sign, condition or
returned value. Its module's own tests run on it in a forked process, until the first that fails.
Mutants are drawn in an order that a fixed seed shuffles, the same number a module as far as they
go, until the time is spent: each has a line in `results/mutation/mutants.jsonl`, and a later run
goes on where this one stopped. Needs a system with fork.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.machinery
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "pellucid"
RESULT = ROOT / "results" / "mutation" / "mutants.jsonl"
SEED = 0
TIMEOUT = 120
"""Seconds of processor time after which a mutant counts as noticed: it does not end."""

MIRRORS = {
    "attention/functional.py": ["attention/test_functional.py"],
    "attention/gate.py": ["attention/test_gate.py"],
    "attention/module.py": ["attention/test_module.py"],
    "attention/reference.py": ["attention/test_reference.py", "attention/test_functional.py"],
    "attention/neighbours/base.py": ["attention/neighbours"],
    "attention/neighbours/maps.py": ["attention/neighbours"],
    "attention/neighbours/prefixes.py": ["attention/neighbours"],
    "attention/neighbours/sinks.py": ["attention/neighbours"],
    "photo/colour.py": ["photo/test_colour.py"],
    "photo/icc.py": ["photo/test_icc.py"],
    "photo/convert.py": ["photo/test_convert.py"],
    "photo/profile.py": ["photo/test_profile.py", "photo/test_icc.py"],
    "network/light.py": ["network/test_light.py"],
}
"""Module → its tests."""

COMPARE = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
}
NEVER = (ast.AnnAssign, ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom, ast.Assert)
"""What is not looked into: messages and annotations (of an assignment only its value is)."""


@dataclass(frozen=True)
class Mutant:
    """One change: the `number`th of its module."""

    module: str
    number: int
    line: int
    change: str
    noticed: bool | None = None
    """None: not tried yet."""
    seconds: float = 0.0


def mutations(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be replaced with."""
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            changed = copy.deepcopy(node)
            changed.ops[at] = COMPARE[type(operator)]()
            yield changed
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.UAdd):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Constant):
        yield from constants(node.value)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))


def constants(value: object) -> Iterator[ast.Constant]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 1.5 if value else 1.0)


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield (parent, field, index) of every node that may be replaced, in the order of source."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.AnnAssign) and child.value is not None:
                yield child, "value", None
                yield from places(child.value)
            elif not isinstance(child, NEVER) and not (
                isinstance(child, ast.Assign) and is_type(child.value)
            ):
                yield node, field, at if isinstance(value, list) else None
                yield from places(child)


def is_type(value: ast.AST) -> bool:
    """Whether a value is the alias of a type."""
    return any(name in ast.unparse(value) for name in ("Literal[", "[Tensor, '", "NDArray["))


def mutants(module: str) -> Iterator[tuple[Mutant, str]]:
    """Yield every mutant of a module with its whole source."""
    tree = ast.parse((SOURCE / module).read_text("utf-8"))
    number = 0
    for parent, field, at in places(tree):
        held = getattr(parent, field)
        node = held if at is None else held[at]
        for other in mutations(node):
            put(parent, field, at, other)
            change = f"{ast.unparse(node)}  →  {ast.unparse(other)}"
            source = ast.unparse(ast.fix_missing_locations(tree))
            put(parent, field, at, node)
            yield Mutant(module, number, getattr(node, "lineno", 0), change), source
            number += 1


def put(parent: ast.AST, field: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[at] = node


def tests_fail(module: str, source: str) -> bool:
    """Run a module's tests on a mutant of it, in a fork of this process."""
    child = os.fork()
    if child == 0:
        os._exit(run_tests(module, source))
    _, status = os.waitpid(child, 0)
    return status != 0


def run_tests(module: str, source: str) -> int:
    import resource

    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT, TIMEOUT))
    signal.alarm(10 * TIMEOUT)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    load_instead(SOURCE / module, source)
    tests = [str(ROOT / "tests" / path) for path in MIRRORS[module]]
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *tests]))


def load_instead(path: Path, source: str) -> None:
    """Let the next import of the module at `path` find another source."""
    read = importlib.machinery.SourceFileLoader.get_data
    compiled = f"{path.stem}."

    def get_data(self: importlib.machinery.SourceFileLoader, asked: str) -> bytes:
        found = Path(asked)
        if found == path:
            return source.encode()
        if found.name.startswith(compiled) and found.parent == path.parent / "__pycache__":
            raise OSError("the compiled file is not of this source")
        return read(self, asked)

    importlib.machinery.SourceFileLoader.get_data = get_data
    sys.dont_write_bytecode = True


def known() -> dict[tuple[str, int], Mutant]:
    if not RESULT.exists():
        return {}
    found = [Mutant(**json.loads(line)) for line in RESULT.read_text("utf-8").splitlines()]
    return {(mutant.module, mutant.number): mutant for mutant in found}


def drawn(modules: list[str]) -> Iterator[tuple[Mutant, str]]:
    """Yield mutants of all modules in turn, each module's in a shuffled order."""
    lists = {module: list(mutants(module)) for module in modules}
    for found in lists.values():
        random.Random(SEED).shuffle(found)
    for turn in range(max(map(len, lists.values()))):
        yield from (found[turn] for found in lists.values() if turn < len(found))


def try_out(modules: list[str], seconds: float) -> None:
    for module in modules:
        if tests_fail(module, (SOURCE / module).read_text("utf-8")):
            raise SystemExit(f"{module}: its tests fail as it is")
    done, spent = known(), 0.0
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for mutant, source in drawn(modules):
        if (mutant.module, mutant.number) in done:
            continue
        if spent > seconds:
            return
        begin = time.monotonic(), sum(os.times()[2:4])
        noticed = tests_fail(mutant.module, source)
        used = sum(os.times()[2:4]) - begin[1]
        spent += used
        line = asdict(mutant) | {"noticed": noticed, "seconds": round(used, 2)}
        with RESULT.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def summary(modules: list[str]) -> None:
    done = known()
    for module in modules:
        own = [mutant for mutant in done.values() if mutant.module == module]
        noticed = sum(bool(mutant.noticed) for mutant in own)
        print(
            f"{module:32} {noticed:4} of {len(own):4} noticed, {len(list(mutants(module)))} in all"
        )


def survivors(modules: list[str]) -> None:
    for mutant in sorted(known().values(), key=lambda mutant: (mutant.module, mutant.line)):
        if mutant.module in modules and not mutant.noticed:
            print(f"{mutant.module}:{mutant.line} #{mutant.number}: {mutant.change}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", default=list(MIRRORS))
    parser.add_argument("--seconds", type=float, default=500, help="of processor time")
    parser.add_argument("--survivors", action="store_true", help="only list what was not noticed")
    parser.add_argument("--again", action="store_true", help="try what was not noticed once more")
    asked = parser.parse_args()
    if asked.survivors:
        survivors(asked.modules)
        return
    if asked.again:
        kept = [mutant for mutant in known().values() if mutant.noticed]
        RESULT.write_text(
            "".join(json.dumps(asdict(m), ensure_ascii=False) + "\n" for m in kept), "utf-8"
        )
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    for package in ("hypothesis", "numpy", "pytest", "scipy", "PIL.Image", "torch"):
        try:
            __import__(package)  # once, for all forks
        except ModuleNotFoundError:
            continue
    try_out(asked.modules, asked.seconds)
    summary(asked.modules)


if __name__ == "__main__":
    main()
