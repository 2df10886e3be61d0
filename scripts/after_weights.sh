#!/usr/bin/env bash
# Make everything anew that depends on the shipped weights: results, pictures, card, tables.
#
#     bash scripts/after_weights.sh ../shared/data        (in that folder: photos, real, synthetic)
#
# Before it: `pellucid export WEIGHTS src/pellucid/weights`, and for each stage of the training
# `python scripts/model_card.py RUN "STAGE" STEPS MIXTURES`. After it, on a machine that does nothing
# else: `pellucid benchmark -o results/benchmark/speed.json`, `python scripts/speed_doc.py`. What
# depends on the recipes instead is results/tone/detail.json (`python scripts/detail_gain.py`).
set -euo pipefail
cd "$(dirname "$0")/.."
data=$1
real=$data/real/real20-dev/pairs.jsonl
synthetic=$data/synthetic/ceilnet-table2-dev/pairs.jsonl
step() { printf '\n== %s\n' "$1"; }

step 'pairs'
pellucid evaluate "$real" -o results/real20-dev --peer-name RAGNet
pellucid evaluate "$synthetic" -o results/ceilnet-table2-dev
step 'checks'
pellucid evaluate --checks "$data/photos" -o results/checks
step '8 bits'
for scored in real20-dev:$real ceilnet-table2-dev:$synthetic; do
  python scripts/int8_loss.py src/pellucid/weights/lite.onnx "$data/photos/train/flickr8k" "${scored#*:}" \
    "results/int8/lite-${scored%%:*}/int8.json"
done
step 'full size'
python scripts/full_resolution.py "$data/real/real20-dev-full" \
  results/benchmark/full-resolution.json
step 'pictures'
python scripts/readme_picture.py
python scripts/gallery.py
step 'notebook'
jupyter execute --inplace notebooks/separation.ipynb
step 'tables and the card'
python scripts/model_card.py
python scripts/speed_doc.py
python scripts/readme_table.py
pellucid evaluate --report results -o docs/results.md
