#!/usr/bin/env bash
# Does a table come out of Slurm as it comes out of one process? Needs root on Debian:
#
#     scripts/slurm/check.sh [target/release/table1]
#
# Installs Debian's Slurm, starts a cluster of this one machine below a temporary folder, submits a reduced Table 1
# as an array of four, puts one task back into the queue in the middle of a training, and compares what is drawn in
# the end with what the same command gives without shards. Stops what it started.
set -euo pipefail
cd "$(dirname "$0")/../.."
table=$(realpath "${1:-target/release/table1}")
arguments=(--only at --seeds 0,1 --epochs 8 --train-examples 1200 --attack-steps 3
    --eval-examples 40 --autoattack-examples 10 --columns clean,fgsm,pgd-20)

say() { printf '== %s (%s s)\n' "$*" "$SECONDS"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

for program in slurmctld slurmd munged; do
    command -v "$program" >/dev/null && continue
    say "installing slurm-wlm and munge"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y slurm-wlm munge >/dev/null
    break
done

folder=$(mktemp -d)
host=$(hostname -s)
started=()
stop() {
    local status=$?
    for process in "${started[@]}"; do kill "$process" 2>/dev/null && wait "$process" 2>/dev/null; done
    [ "$status" -eq 0 ] && rm -rf "$folder" || echo "kept for a look: $folder" >&2
    exit "$status"
}
trap stop EXIT

say "a cluster of $host in $folder"
mkdir -p "$folder"/{munge,state,spool,log}
chmod 711 "$folder"
chmod 700 "$folder/munge"
dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 status=none
chmod 400 "$folder/munge/key"
munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" 2>/dev/null &
started+=($!)

export SLURM_CONF="$folder/slurm.conf"
cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5
KillWait=10
MinJobAge=3600
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=check Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
slurmctld -D >/dev/null 2>&1 &
started+=($!)
slurmd -D >/dev/null 2>&1 &
started+=($!)
for _ in $(seq 60); do
    sinfo --noheader --format %T 2>/dev/null | grep -q idle && break
    sleep 1
done
sinfo --noheader --format %T | grep -q idle || fail "the node does not come up: $(tail -n 3 "$folder"/log/*)"

say "submitting"
out="$folder/sharded"
export SBATCH_OUTPUT="$folder/log/job-%j"
jobs=$(scripts/slurm/submit.sh 4 "$table" "${arguments[@]}" --out "$out")
read -r trained audited drawn <<<"$jobs"
echo "jobs: training $trained, audits $audited, drawing $drawn"

say "waiting for an epoch of the first task"
for _ in $(seq 600); do
    compgen -G "$out/runs/*/resume.safetensors" >/dev/null && break
    sleep 0.2
done
compgen -G "$out/runs/*/resume.safetensors" >/dev/null || fail "no training began: $(cat "$folder"/log/job-*)"
task="${trained}_0"
scontrol requeue "$task"
say "put task $task back into the queue; training goes on"
# Slurm holds such a task back for two minutes.
for _ in $(seq 60); do
    sleep 1
    scontrol update job "$task" StartTime=now 2>/dev/null && break
done

while squeue --noheader | grep -q .; do sleep 2; done
for job in "$trained" "$audited" "$drawn"; do
    bad=$(scontrol --oneliner show job "$job" | grep -v JobState=COMPLETED || true)
    [ -z "$bad" ] || fail "$bad"
done
scontrol --oneliner show job "$task" | grep -q 'Restarts=1 ' || fail "task $task was not started twice"
resumed=$(cat "$folder"/log/job-* | grep 'resuming after epoch' || true)
[ -n "$resumed" ] || fail "no training was resumed"
echo "$resumed"

say "the same without shards"
"$table" "${arguments[@]}" --out "$folder/whole" >/dev/null 2>"$folder/log/whole"

say "comparing"
compared=0
same() { cmp "$1" "$2" || fail "${1#"$folder"/} differs"; compared=$((compared + 1)); }
# The last column of cells.csv is how long it took, which no two runs share.
for side in sharded whole; do sed 's/,[^,]*$//' "$folder/$side/table1/cells.csv" >"$folder/$side.cells"; done
same "$folder/sharded.cells" "$folder/whole.cells"
while read -r file; do
    same "$out/$file" "$folder/whole/$file"
done < <(cd "$folder/whole" && find . -name '*.safetensors' -o -name 'epochs.csv' -o -name 'examples.csv' -o -name 'audit*' \
    -o -path './table1[.-]*' -o -name differences.csv)
grep -c . "$folder/whole.cells" | { read -r lines; echo "$((lines - 1)) cells"; }
say "$compared files are equal byte for byte, cells.csv without its seconds among them"
