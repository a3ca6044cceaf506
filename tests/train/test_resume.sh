#!/bin/bash
# labels: long
# timeout: 1800
# kill -9 at random moments, with checkpoints every few steps: of a rank, of the whole job, while a checkpoint is being written, and
# at a random call of the checkpoint's writer, which may also fail; each time the job is resumed, on another number of ranks or on the
# same. In the end the loss curve and the weights are the uninterrupted run's, bit by bit if the number of ranks was always the
# same, and each sample of each epoch was used exactly once.
# ANNULUS_KILLS: how many kills (default 4; the soak test is ANNULUS_KILLS=200, by tests/train/soak.sh).
set -u
[ -x "${ANNULUS:-}" ] || { echo "skipped: the program was not built"; exit 77; }
. "$(dirname "${BASH_SOURCE[0]}")/soak.bash"
make_data
make_run
if [ "${ANNULUS_KILLS:-4}" -gt 20 ]; then counts=(2 1 3 4); else counts=(2 3); fi
whole_runs "${counts[@]}"
soak "${ANNULUS_KILLS:-4}" "${counts[@]}"
