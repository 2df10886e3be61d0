#!/usr/bin/env bash
# Check everything in fresh environments: formatter, linter, types, import directions, tests, the
# built package, and the README's main command run from the installed wheel.
#
#     bash scripts/check.sh          with PYTHON=python3.12 to choose the interpreter
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
begin=$SECONDS
step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - begin)); }
fail() {
  printf 'FAILED: %s\n' "$1" >&2
  exit 1
}

new_environment() {
  "${PYTHON:-python3}" -m venv "$1"
  "$1/bin/python" -m pip install --quiet --upgrade pip # --group needs 25.1
}

step 'environment for the checks'
new_environment "$work/checks"
bin=$work/checks/bin
"$bin/pip" install --quiet -c constraints.txt -e '.[attention,formats,train,web]' --group dev

step 'formatter'
"$bin/ruff" format --check .
step 'linter'
"$bin/ruff" check .
step 'types'
"$bin/pyright" --pythonpath "$bin/python"
step 'import directions'
"$bin/lint-imports" --no-cache
step 'tests'
OMP_NUM_THREADS=1 "$bin/pytest" -n auto # one process a core, so one thread a process
step 'audit of the dependencies'
"$bin/pip" install --quiet pip-audit || true
PATH="$bin:$PATH" "$bin/python" scripts/audit.py
step 'package'
"$bin/python" -m build --outdir "$work/dist" . > "$work/build.log" 2>&1 || fail "$(tail -20 "$work/build.log")"

names=$("$bin/python" -m zipfile -l "$work"/dist/*.whl)
for needed in weights/lite.onnx weights/lite.json weights/MODEL_CARD.md service/page/index.html \
  py.typed licenses/LICENSE; do
  grep -q "$needed" <<< "$names" || fail "the wheel has no $needed"
done
! grep -E '^(tests|docs|scripts|examples|results)/' <<< "$names" || fail 'the wheel has too much'

step 'install of the wheel'
new_environment "$work/user"
"$work/user/bin/pip" install --quiet -c constraints.txt "$work"/dist/*.whl
size=$(du -sm "$work/user" | cut -f1)
printf 'the new environment takes %d MB\n' "$size"
[ "$size" -lt 350 ] || fail 'the environment of a default install must stay below 350 MB'

step "the README's main command"
main=$(sed -n '/<!-- main command -->/,/<!-- end -->/p' README.md | grep -o 'pellucid separate .*')
cp -r examples "$work/examples"
rm -f "$work"/examples/*.transmission.* "$work"/examples/*.reflection.*
(cd "$work" && PATH="$work/user/bin:$PATH" bash -euc "$main")
"$work/user/bin/python" scripts/same_size.py "$work/examples/window.jpg" \
  "$work/examples/window.transmission.jpg" "$work/examples/window.reflection.jpg"

step 'start of the command line'
(cd "$work" && "$work/user/bin/python" - "$work/user/bin/pellucid") < scripts/time_help.py

step 'all fine'
