"""Mutation testing: break one place of the source at a time and see whether its tests notice.

    python scripts/mutate.py                    all modules of `MIRRORS`, a minute's tests each
    python scripts/mutate.py attention/gate.py  one of them
    python scripts/mutate.py --survivors        what was not noticed, as lines of source

A mutant is one changed comparison, sum, product, constant, `and`/`or`, `not`, sign, condition or
returned value. Its module's own tests run on it until the first that fails, in a fork of a process
that has collected them: there the changed functions take the place of the right ones. What is
outside functions is not tried. Mutants are drawn in an order that a fixed seed shuffles, until the
time is spent, the same for each module: each has a line in `results/mutation/mutants.jsonl`, and a
later run goes on where this one stopped. Needs a system with fork.
"""

from __future__ import annotations

import argparse
import ast
import copy
import inspect
import json
import os
import random
import signal
import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "pellucid"
RESULT = ROOT / "results" / "mutation" / "mutants.jsonl"
SEED = 0
SPEAK = os.dup(1)
TIMEOUT = 120
"""Seconds of processor time after which a mutant counts as noticed: it does not end."""

NEIGHBOURS = [
    f"attention/neighbours/test_{name}.py"
    for name in ("options", "maps", "prefixes", "sinks", "fused")
]
MIRRORS = {
    "attention/functional.py": ["attention/test_functional.py"],
    "attention/gate.py": ["attention/test_gate.py"],
    "attention/module.py": ["attention/test_module.py"],
    "attention/reference.py": ["attention/test_reference.py", "attention/test_functional.py"],
    "attention/neighbours/base.py": NEIGHBOURS,
    "attention/neighbours/maps.py": NEIGHBOURS,
    "attention/neighbours/prefixes.py": NEIGHBOURS,
    "attention/neighbours/sinks.py": NEIGHBOURS,
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
NEVER = (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom, ast.Assert)
"""What is not looked into: messages, and what is for programmers."""


@dataclass(frozen=True)
class Mutant:
    """One change: the `number`th of its module."""

    module: str
    number: int
    line: int
    change: str
    noticed: bool | None = None
    """None: not tried yet."""


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


def places(node: ast.AST, inside: bool) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield (parent, field, index) of every node in a function that may be replaced, in order."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, NEVER):
                continue
            if inside:
                yield node, field, at if isinstance(value, list) else None
            yield from places(child, inside or isinstance(child, ast.FunctionDef))


def mutants(module: str) -> Iterator[tuple[Mutant, str]]:
    """Yield every mutant of a module with its whole source."""
    tree = ast.parse((SOURCE / module).read_text("utf-8"))
    number = 0
    for parent, field, at in places(tree, inside=False):
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


class Trial:
    """A plugin of pytest that, in place of the tests, runs them on one mutant after the other."""

    def __init__(self, module: str, todo: list[tuple[Mutant, str]], seconds: float) -> None:
        self.module = module
        self.todo = todo
        self.seconds = seconds

    def pytest_runtestloop(self, session: Any) -> bool:
        right = (SOURCE / self.module).read_text("utf-8")
        if self.tests_fail(session, right):
            say(f"{self.module}: its tests fail as it is")
            return True
        for mutant, source in self.todo:
            if sum(os.times()[2:4]) > self.seconds:
                break
            found = asdict(mutant) | {"noticed": self.tests_fail(session, source)}
            with RESULT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found, ensure_ascii=False) + "\n")
        return True

    def tests_fail(self, session: Any, source: str) -> bool:
        child = os.fork()
        if child == 0:
            try:
                os._exit(self.run_tests(session, source))
            finally:
                os._exit(2)
        return os.waitpid(child, 0)[1] != 0

    def run_tests(self, session: Any, source: str) -> int:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT, TIMEOUT))
        signal.alarm(20 * TIMEOUT)
        put_functions(self.module, source)
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0


def put_functions(module: str, source: str) -> None:
    """Give the functions of an imported module the code and defaults of another source of it."""
    name = "pellucid." + module.removesuffix(".py").replace("/", ".")
    right = sys.modules[name]
    changed = types.ModuleType(name)
    changed.__file__ = right.__file__
    sys.modules[name] = changed  # dataclasses look for their module
    exec(compile(source, str(right.__file__), "exec"), vars(changed))
    sys.modules[name] = right
    ours = dict(functions(right, name))
    for path, function in functions(changed, name):
        if path in ours and ours[path].__code__.co_freevars == function.__code__.co_freevars:
            ours[path].__code__ = function.__code__
            ours[path].__defaults__ = function.__defaults__
            ours[path].__kwdefaults__ = function.__kwdefaults__


def functions(holder: Any, name: str) -> Iterator[tuple[str, types.FunctionType]]:
    """Yield the functions that a module defines, those of its classes too, by qualified name."""
    for value in vars(holder).values():
        if inspect.isclass(value) and value.__module__ == name and value is not holder:
            yield from functions(value, name)
        inner = getattr(value, "fget", None) or getattr(value, "func", None) or value
        inner = inspect.unwrap(getattr(inner, "__func__", inner))
        if isinstance(inner, types.FunctionType) and inner.__module__ == name:
            yield inner.__qualname__, inner


def say(text: str) -> None:
    os.write(SPEAK, f"{text}\n".encode())


def known() -> dict[tuple[str, int], Mutant]:
    if not RESULT.exists():
        return {}
    found = [Mutant(**json.loads(line)) for line in RESULT.read_text("utf-8").splitlines()]
    return {(mutant.module, mutant.number): mutant for mutant in found}


def write(found: dict[tuple[str, int], Mutant]) -> None:
    """Write one line a mutant, where the file may have several: the last ones hold."""
    lines = [json.dumps(asdict(mutant), ensure_ascii=False) for mutant in found.values()]
    RESULT.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def try_out(module: str, seconds: float, again: bool) -> None:
    """Try the mutants of a module that have not been, in a fork; first the survivors, if again."""
    done, drawn = known(), list(mutants(module))
    random.Random(SEED).shuffle(drawn)
    tried = {number: mutant.noticed for (name, number), mutant in done.items() if name == module}
    left = [found for found in drawn if tried.get(found[0].number) is False]
    todo = left * again + [found for found in drawn if found[0].number not in tried]
    if todo and os.fork() == 0:
        import hypothesis
        import pytest

        # An example that fails is enough: no smaller one is looked for.
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", phases=phases, database=None, deadline=None)
        hypothesis.settings.load_profile("mutants")
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        tests = [str(ROOT / "tests" / path) for path in MIRRORS[module]]
        options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *tests]
        os._exit(int(pytest.main(options, plugins=[Trial(module, todo, seconds)])))
    if todo:
        os.wait()


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
    parser.add_argument("--seconds", type=float, default=60, help="of tests, a module")
    parser.add_argument("--survivors", action="store_true", help="only list what was not noticed")
    parser.add_argument("--again", action="store_true", help="try what was not noticed once more")
    asked = parser.parse_args()
    if asked.survivors:
        survivors(asked.modules)
        return
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    for package in ("hypothesis", "numpy", "pytest", "PIL.Image", "torch.testing", "jaxtyping"):
        with suppress(ModuleNotFoundError):
            __import__(package)  # once, for all forks
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for module in asked.modules:
        try_out(module, asked.seconds, asked.again)
    write(known())
    summary(asked.modules)


if __name__ == "__main__":
    main()
