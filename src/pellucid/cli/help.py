"""What every command's help ends with: examples, and what its exit codes mean."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, tuple[str, ...]] = {
    "separate": (
        "pellucid separate shop.jpg",
        'pellucid separate shop.jpg -t "a dress on a doll" -r "the sky and houses"',
    ),
    "batch": ("pellucid batch holiday separated", "pellucid batch inbox separated --watch"),
    "web": ("pellucid web --open", "pellucid web --host 0.0.0.0 --allow-host photos.example"),
    "evaluate": (
        "pellucid evaluate pairs/pairs.jsonl -o results/pairs",
        "pellucid evaluate --report results -o results.md",
    ),
    "synthesise": ("pellucid synthesise photos mixtures --count 1000",),
    "train": ("pellucid train configs/lite.toml",),
    "export": ("pellucid export out/lite/best.safetensors shipped",),
    "attention inspect": ("pellucid attention inspect gpt2 --text prompts.txt",),
    "attention retrofit": ("pellucid attention retrofit gpt2 --text corpus.txt -o gated",),
    "attention experiment": (
        "pellucid attention experiment backcopy --quick --folder tried",
        "pellucid attention experiment backcopy --table-only",
        "pellucid attention experiment backcopy --repeat vga-key-0",
    ),
    "attention quantise": (
        "pellucid attention quantise gpt2 --text corpus.txt -o quantised",
        "pellucid attention quantise gpt2 --text corpus.txt --bits W8A8 --bits W4A4-channel-mse",
    ),
    "attention benchmark": ("pellucid attention benchmark -o attention.json",),
    "benchmark": ("pellucid benchmark -o speed.json",),
    "info": ("pellucid info",),
}

SOME_FAILED, USAGE = 1, 2
"""Exit codes that commands give themselves; typer gives 2 for wrong use too."""

ALWAYS = "0 = all fine, 1 = it failed (the message says why), 2 = wrong use, 130 = interrupted."
EXIT_CODES: dict[str, str] = {
    "separate": "0 = all fine, 1 = some photo failed (the others are done), 2 = wrong use, nothing "
    "was done, 130 = interrupted.",
    "batch": "0 = all fine, 1 = some photo failed (the others are done), 2 = wrong use, nothing "
    "was done, 130 = interrupted (run it again to go on).",
    "attention inspect": "0 = all fine, 1 = it failed, 2 = wrong use, 3 = an alarm went off.",
    "attention experiment": "0 = all fine, 1 = it failed, 2 = wrong use, 3 = a repeated run is "
    "outside the stored runs' interval, 130 = interrupted (run it again to go on).",
}
"""By command, where they say more than `ALWAYS`."""


def explain(command: Any, name: str) -> None:
    """Give a command, or each command of a group, its last lines of help."""
    for own, inner in getattr(command, "commands", {}).items():
        explain(inner, f"{name} {own}")
    if not hasattr(command, "commands"):
        examples = "\n\n".join(EXAMPLES.get(name, ()))
        codes = EXIT_CODES.get(name, ALWAYS)
        command.epilog = f"Examples:\n\n{examples}\n\nExit codes: {codes}"
