#!/usr/bin/env bash
# Train on all GPUs of one or more machines: run this on each machine, with the same HEAD and a different NODE.
#
#   DATA=data/osie-archive OUT=runs examples/torchrun.sh --epochs 20 --use_val
#   NODES=2 NODE=0 HEAD=node1:29500 DATA=... OUT=... examples/torchrun.sh ...      # and NODE=1 on the other machine
#
# On machines without GPUs, set PROCESSES=4 and add --device cpu. DATA and OUT must be the same folders on every machine.
set -euo pipefail
processes=${PROCESSES:-$(nvidia-smi --list-gpus | wc -l)}
torchrun \
    --nnodes "${NODES:-1}" --node_rank "${NODE:-0}" --nproc_per_node "$processes" \
    --rdzv_id mrsal --rdzv_backend c10d --rdzv_endpoint "${HEAD:-localhost:0}" \
    "$(dirname "$0")/../train.py" --data_dir "$DATA" --out_dir "$OUT" --resume last "$@"
