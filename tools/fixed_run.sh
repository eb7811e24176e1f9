#!/usr/bin/env bash
# A fixed run of 20 steps a stage (seed 0, one thread): prints the sha256 of both stages' weights and of the detector's metrics.
# Two revisions that train alike print the same three lines. Usage: bash tools/fixed_run.sh OUT_FOLDER
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
export PATH="${VIRTUAL_ENV:-$PWD/.venv}/bin:$PATH" PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONWARNINGS=ignore
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=
data=$out/tiles
[ -e "$data/README.txt" ] || mmlandslide synth --out "$data" --train 80 --val 8 --test 16 --seed 0 > "$out/synth.log" 2>&1
options=(train_dataloader.dataset.data_root="$data" train_dataloader.num_workers=0 train_dataloader.persistent_workers=False)
mim train mmpretrain configs/pretrain/swin_mae_demo.py --work-dir "$out/pretrain" \
  --cfg-options train_cfg.max_epochs=4 "${options[@]}" > "$out/pretrain.log" 2>&1
mim train mmdet configs/det/faster_rcnn_demo.py --work-dir "$out/detector" \
  --cfg-options train_cfg.max_epochs=1 model.backbone.pretrained.checkpoint="$out/pretrain" "${options[@]}" \
  val_dataloader.dataset.data_root="$data" > "$out/train.log" 2>&1
mim test mmdet configs/det/faster_rcnn_demo.py --checkpoint "$out/detector/epoch_1.pth" --work-dir "$out/test" \
  --cfg-options test_dataloader.dataset.data_root="$data" > "$out/test.log" 2>&1
python - "$out" <<'PY'
import hashlib, sys
from pathlib import Path
import torch

out = Path(sys.argv[1])
for name in ('pretrain/epoch_4.pth', 'detector/epoch_1.pth'):
    digest = hashlib.sha256()
    for key, value in sorted(torch.load(out / name, map_location='cpu', weights_only=True)['state_dict'].items()):
        digest.update(key.encode() + value.contiguous().numpy().tobytes())
    print(f'{digest.hexdigest()}  weights of {name}')
metrics = next(out.glob('test/**/metrics.json'))
print(f'{hashlib.sha256(metrics.read_bytes()).hexdigest()}  {metrics.relative_to(out)}')
PY
