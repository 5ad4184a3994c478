#!/usr/bin/env bash
# Train on several GPUs, or with that many processes on a machine without one.
# Usage: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# NNODES, NODE_RANK, MASTER_ADDR, PORT and PYTHON come from the environment.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 CONFIG GPUS [options]" >&2; exit 2; }
TOOLS=$(cd "$(dirname "$0")" && pwd)

export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
# In the place of this shell: whoever ends the script ends the training.
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$TOOLS/train.py" "$1" --launcher pytorch "${@:3}"
