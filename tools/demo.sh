#!/usr/bin/env bash
# Simulated tiles -> Swin-MAE -> Faster R-CNN -> test -> demo/report.html, through the commands that a user types.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" PYTHONWARNINGS=ignore
data=demo/landslide4sense detector=configs/det/faster_rcnn_demo.py
mkdir -p demo
SECONDS=0

stage() { # name, command: the whole output goes to demo/<name>.log, its landmarks to the screen
  local name=$1; shift
  echo "[${SECONDS} s] $*"
  "$@" 2>&1 | tee "demo/$name.log" | { grep --line-buffered -E 'Epoch\((train|test)\)|Weights from|  (matched|missing) |^error:' || true; } ||
    { tail -n 20 "demo/$name.log"; echo "error: this stage failed; all of its output is in demo/$name.log."; exit 1; }
}
checkpoint() { echo "$1/$(basename "$(cat "$1/last_checkpoint")")"; }

# README.txt is written last: without it the tiles are not all there.
[ -e "$data/README.txt" ] || { rm -rf "$data"; mmlandslide synth --out "$data" --train 320 --val 16 --test 96 --seed 0; }
stage pretrain mim train mmpretrain configs/pretrain/swin_mae_demo.py
stage train mim train mmdet "$detector"
stage test mim test mmdet "$detector" --checkpoint "$(checkpoint work_dirs/faster_rcnn_demo)" --show-dir panels

# The untrained detector: one step at learning rate 0, so that it goes through the same commands.
stage untrained_save mim train mmdet "$detector" --work-dir demo/untrained --cfg-options model.backbone.pretrained=None \
  optim_wrapper.optimizer.lr=0 optim_wrapper.optimizer.weight_decay=0 train_cfg.max_epochs=1 train_dataloader.dataset.indices=8
stage untrained_test mim test mmdet "$detector" --checkpoint "$(checkpoint demo/untrained)" --work-dir demo/untrained
python tools/threshold_baseline.py --data-root "$data" --split test --json demo/baseline.json
python tools/demo_report.py --seconds "$SECONDS"
