#!/usr/bin/env bash
# Training on all GPUs of one machine, or of several: run it on each of them with the same HEAD and its own NODE.
#
#   DATA=data/osie-archive OUT=runs examples/torchrun.sh --epochs 20 --use_val
#   NODES=2 NODE=0 HEAD=node1:29500 DATA=... OUT=... examples/torchrun.sh ...      # and NODE=1 on the other
#
# On a machine without GPUs: PROCESSES=4 and --device cpu. DATA and OUT have to be the same folders on every machine.
set -euo pipefail
processes=${PROCESSES:-$(nvidia-smi --list-gpus | wc -l)}
torchrun \
    --nnodes "${NODES:-1}" --node_rank "${NODE:-0}" --nproc_per_node "$processes" \
    --rdzv_id mrsal --rdzv_backend c10d --rdzv_endpoint "${HEAD:-localhost:0}" \
    "$(dirname "$0")/../train.py" --data_dir "$DATA" --out_dir "$OUT" --resume last "$@"
