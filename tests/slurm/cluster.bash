# Sourced by the tests of this folder: a private Slurm of a controller and two nodes on this machine, and checks. The test runs
# in namespaces of its own (processes, network, mounts, host names), so that any number of clusters may run at the same time, and
# nothing outlives the test: when it ends, in whatever way, the kernel ends all processes of its namespace. Each node has a host name of
# its own, by which Open MPI tells nodes apart.
#
# Each node has $cpus processors, whatever the machine has. All files are in $dir, which is also the working folder.
set -u
skip() { echo "skipped: $*"; exit 77; }
[ -n "${ANNULUS:-}" ] && [ -x "$ANNULUS" ] || skip "the program annulus was not built"
if [ -z "${ANNULUS_SLURM_INSIDE:-}" ]; then
    for program in munged mungekey slurmctld slurmd srun sbatch scontrol ip; do
        PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null || skip "$program was not found (packages slurm-wlm, munge, iproute2)"
    done
    [ "$(id -u)" = 0 ] || skip "a private Slurm is started by root"
    dir=$(mktemp -d "${TMPDIR:-/tmp}/annulus-slurm-XXXXXX") || exit 1
    own=(unshare --uts --ipc --net --mount --pid --fork --mount-proc --kill-child)
    "${own[@]}" true 2>/dev/null || { rmdir "$dir"; skip "no right to make namespaces here"; }
    # When unshare is killed, so are all processes that it has started.
    trap 'kill -KILL "$inside" 2>/dev/null' TERM INT HUP
    ANNULUS_SLURM_INSIDE=$dir setpriv --pdeathsig KILL "${own[@]}" bash "$0" "$@" &
    inside=$!
    wait $inside
    code=$?
    if [ $code -gt 128 ]; then wait $inside; fi 2>/dev/null # a signal has interrupted the first one
    rm -rf "$dir"
    exit $code
fi

PATH=$PATH:/usr/sbin:/sbin
. "$ANNULUS_SOURCE/launch/env.sh"
dir=$ANNULUS_SLURM_INSIDE
cd "$dir" || exit 1
trap 'exit 143' TERM INT HUP # the first process of a namespace has no defaults
bad=0 cpus=2
wrong() { echo "WRONG: $*"; bad=1; }
fail() { echo "FAILED: $*"; exit 1; }
show_logs() { # of what went wrong
    local file
    for file in log/*.log *.log; do
        echo "---- $file"
        grep -v samples/s "$file" | tail -n 40
    done
}
trap '[ $? = 0 ] || show_logs' EXIT

# ---- up

configure() {
    mkdir -p log state
    cat >slurm.conf <<CONF
ClusterName=annulus
SlurmctldHost=control(127.0.0.1)
SlurmctldPort=6817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# The delay of a requeued job is the lifetime of a credential.
AuthInfo=socket=/run/munge.sock,cred_expire=5
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
StateSaveLocation=$dir/state
# The nodes share this machine, so what they keep in files must have other names.
SlurmdSpoolDir=/run/spool.%n
TmpFS=$dir/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=30
SlurmdTimeout=10
MessageTimeout=10
MinJobAge=600
JobRequeue=1
PropagateResourceLimits=NONE
NodeName=node1 NodeHostname=node1 NodeAddr=127.0.0.1 Port=6901 CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=4000
NodeName=node2 NodeHostname=node2 NodeAddr=127.0.0.1 Port=6902 CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=4000
PartitionName=main Nodes=node[1-2] Default=YES MaxTime=INFINITE DefaultTime=10:00 State=UP PriorityTier=1
PartitionName=urgent Nodes=node[1-2] MaxTime=INFINITE DefaultTime=10:00 State=UP PriorityTier=2
CONF
}
declare -A node_pid
node_start() { # NODE: with empty folders, since what a killed one has left there disturbs the next
    rm -rf "/run/spool.$1" "tmp.$1"
    mkdir -p "/run/spool.$1" "tmp.$1"
    unshare --uts sh -c 'hostname "$1" && exec slurmd -D -N "$1"' - "$1" </dev/null >/dev/null 2>&1 &
    node_pid[$1]=$!
}
# Kills all processes of the node at once, as a loss of power does.
node_kill() { # NODE
    local own process
    own=$(readlink "/proc/${node_pid[$1]}/ns/uts") && [ "$own" != "$(readlink /proc/self/ns/uts)" ] || fail "$1 is no node"
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/uts" 2>/dev/null)" = "$own" ] && kill -KILL "${process#/proc/}" 2>/dev/null
    done
    wait "${node_pid[$1]}" 2>/dev/null
}
all_idle() { [ "$(idle_nodes)" = 2 ]; }
idle_nodes() { timeout 5 sinfo -h -N -p main -o %t 2>/dev/null | grep -cx idle; }
cluster_up() {
    # Open MPI wants a network beside lo, as does the look-up of addresses: a link to itself.
    # Sockets lie in a /run of the namespace's own, because their paths have at most 107 characters.
    mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /run && hostname control && ip link set lo up && ip link add lan type veth peer name nal &&
        ip addr add 10.0.0.1/24 dev lan && ip link set lan up && ip link set nal up || fail "namespaces"
    printf '127.0.0.1 localhost control node1 node2\n' >hosts
    mount --bind hosts /etc/hosts || fail "host names"
    configure
    export SLURM_CONF=$dir/slurm.conf TMPDIR=$dir
    mungekey -c -k munge.key && chmod 0400 munge.key
    munged --foreground --force --key-file="$dir/munge.key" --socket=/run/munge.sock --pid-file=/run/munged.pid \
        --log-file="$dir/log/munged.log" --seed-file="$dir/state/munge.seed" --num-threads=2 </dev/null >/dev/null 2>&1 &
    for _ in $(seq 100); do [ -S /run/munge.sock ] && break; sleep 0.1; done
    slurmctld -D -c </dev/null >/dev/null 2>&1 &
    node_start node1
    node_start node2
    until_true 30 all_idle || fail "Slurm has not come up"
}

# ---- jobs

until_true() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}
job_field() { timeout 10 scontrol -o show job "$1" 2>/dev/null | grep -oE "(^| )$2=[^ ]*" | tail -n 1 | cut -d = -f 2-; } # JOB FIELD
job_is() { [[ " $2 " == *" $(job_field "$1" JobState) "* ]]; } # JOB "STATE..."
ended="COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL PREEMPTED"
submit() { # NAME OPTION...: a job with output in ./NAME and the log NAME.log; sets $job
    local name=$1
    shift
    job=$(timeout 30 "$ANNULUS" slurm --submit --tasks-per-node 1 --time 10:00 --log "$name.log" --set "output=$name" "$@" run.yaml) ||
        fail "not submitted"
    job=${job##* }
}
# The same, slowly: rank 0 waits for a moment with each line of progress, while the file ./slow is there.
submit_slowly() {
    touch slow
    LD_PRELOAD=$ANNULUS_BUILD/tests/shim_pause.so ANNULUS_PAUSE_FILE=$dir/slow submit "$@"
}
lines() { cat "$1" 2>/dev/null | grep -c "$2"; } # FILE TEXT
makes_progress() { # NAME: a line of the log since the job's last start
    local text
    text=$(sed -n '/annulus.sbatch: job .*, restart/h; /annulus.sbatch: job .*, restart/!H; ${x;p}' "$1.log" 2>/dev/null)
    [[ $text == *samples/s* ]]
}
await_progress() { until_true 40 makes_progress "$1" || fail "no progress of $1"; } # NAME
# What a stopped job has said, how many times.
said() { # NAME COUNT TEXT
    [ "$(lines "$1.log" "$3")" = "$2" ] || wrong "$1: not $2 times: $3"
}
# Waits for the job's end, and checks its state and exit code.
ends() { # JOB SECONDS STATE CODE
    until_true "$2" job_is "$1" "$ended" || { timeout 10 scontrol show job "$1"; fail "job $1 has not ended after $2 s"; }
    [ "$(job_field "$1" JobState)" = "$3" ] && [ "$(job_field "$1" ExitCode)" = "$4" ] ||
        wrong "job $1: $(job_field "$1" JobState), exit code $(job_field "$1" ExitCode), not $3, $4"
}
# The weights and optimizer states of two runs are the same bits.
same_weights() { # OUTPUT OUTPUT
    timeout 30 "$ANNULUS" ckpt diff --no-meta "$1/mlp" "$2/mlp" >diff.log 2>&1 && grep -qx equal diff.log ||
        { wrong "$1 and $2 have other weights"; cat diff.log; }
}

# ---- a run

# make_run STEPS: run.yaml, output in ./out unless --set says otherwise
make_run() {
    [ -e good.h5 ] || "$ANNULUS_BUILD/tests/make_dataset" good good.h5 300 || fail "no dataset"
    cat >run.yaml <<YAML
name: slurm
seed: 5
output: out
data: { path: good.h5 }
checkpoint: { every: 200 steps, keep: 3 }
log: { every_steps: 20 }
comm: { timeout_s: 5, calibrate: never }
models:
  net: [flatten: {}, dense: { name: fc1, units: 32, activation: relu }, dense: { name: fc2, units: 2 }]
phases:
  - name: mlp
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 48
    optimizer: { kind: adam }
    program: [{ steps: $1, lr: 0.001 }]
YAML
}
