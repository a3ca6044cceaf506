#!/bin/bash
# Hosts that are network namespaces of this machine, behind links of a limited rate:
#
#   netns.sh HOSTS RATE RANKS_PER_HOST PROGRAM [ARGUMENT...]     such as 4 1gbit 1 annulus bench allreduce
#
# makes the namespaces, runs the program on all of them with one mpirun, and removes everything it made, whatever
# happens. RATE is tc's (or `none`). Exit code: the program's, or 77 where namespaces cannot be made.
# MPIRUN_ARGS: more arguments for mpirun. Ranks of different namespaces share no memory: each host has its own
# name, IPC namespace and /dev/shm.
set -u
hosts=$1 rate=$2 ranks=$3
shift 3
prefix=an$$ net=10.$((200 + $$ % 50)).$(($$ / 50 % 250)) bridge=an$$br
dir=$(mktemp -d) || exit 77

down() {
    local i
    for ((i = 1; i <= hosts; i++)); do
        # shellcheck disable=SC2046
        kill -KILL $(ip netns pids "${prefix}h$i" 2>/dev/null) 2>/dev/null
        ip netns del "${prefix}h$i" 2>/dev/null
    done
    ip link del "$bridge" 2>/dev/null
    rm -rf "$dir"
}
# mpirun takes a moment to end its ranks on all hosts; what is still there then is killed with its namespace.
program=
stop() {
    trap '' TERM INT HUP
    if [ -n "$program" ]; then
        kill -TERM "$program" 2>/dev/null
        for ((i = 0; i < 50; i++)); do
            kill -0 "$program" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$program" 2>/dev/null
    fi
    exit 143
}
trap down EXIT
trap stop TERM INT HUP

shape() { # COMMAND...: in front of `qdisc add dev`
    [ "$rate" = none ] || "$@" root tbf rate "$rate" burst 256kb latency 20ms
}

up() {
    local i host
    ip link add "$bridge" type bridge && ip addr add "$net.254/24" dev "$bridge" && ip link set "$bridge" up || return
    for ((i = 1; i <= hosts; i++)); do
        host=${prefix}h$i
        ip netns add "$host" &&
            ip link add "${prefix}v$i" type veth peer name eth0 netns "$host" &&
            ip link set "${prefix}v$i" master "$bridge" up &&
            ip -n "$host" addr add "$net.$i/24" dev eth0 &&
            ip -n "$host" link set eth0 up && ip -n "$host" link set lo up &&
            ip netns exec "$host" sysctl -qw net.ipv4.tcp_congestion_control=reno &&
            shape tc qdisc add dev "${prefix}v$i" && shape tc -n "$host" qdisc add dev eth0 || return
        echo "$net.$i slots=$ranks" >>"$dir/hosts"
    done
    # What mpirun calls in place of ssh: the host is an address, its last number names the namespace.
    cat >"$dir/rsh" <<R
#!/bin/bash
host=${prefix}h\${1##*.}
shift
exec ip netns exec "\$host" unshare --uts --ipc --mount sh -c \
    'hostname "\$0"; mount -t tmpfs -o size=4g tmpfs /dev/shm; exec sh -c "\$1"' "\$host" "\$*"
R
    chmod +x "$dir/rsh"
}

if ! command -v ip >/dev/null || ! command -v tc >/dev/null || ! up 2>"$dir/why"; then
    echo "network namespaces cannot be made here: $(head -1 "$dir/why" 2>/dev/null)"
    exit 77
fi
# shellcheck disable=SC2086
mpirun -np $((hosts * ranks)) --hostfile "$dir/hosts" --bind-to none --mca mpi_yield_when_idle 1 \
    --mca plm rsh --mca plm_rsh_agent "$dir/rsh" --mca plm_rsh_no_tree_spawn 1 \
    --mca oob_tcp_if_include "$net.0/24" --mca btl_tcp_if_include "$net.0/24" \
    --mca pml ob1 --mca btl tcp,vader,self ${MPIRUN_ARGS:-} "$@" &
program=$!
wait $program
