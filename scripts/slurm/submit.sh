#!/usr/bin/env bash
# A table on a Slurm cluster: PARTS tasks train and evaluate it, then they audit it, then one job draws it.
#
#     scripts/slurm/submit.sh PARTS target/release/table1 [ARGUMENTS]
#
# The folder given with --out must be seen by every node. What sbatch needs to know is in its own variables:
# SBATCH_PARTITION, SBATCH_TIMELIMIT, SBATCH_ACCOUNT, ... Prints the numbers of the jobs.
set -euo pipefail

if [ $# -lt 2 ] || ! [ "$1" -gt 0 ] 2>/dev/null; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
parts=$1
shift
job="$(cd "$(dirname "$0")" && pwd)/table.sbatch"
submit() { sbatch --parsable --export="${SBATCH_EXPORT:-ALL}" "$@"; }
array() { submit --array="0-$((parts - 1))" "$@"; }

audits=yes
for argument in "$@"; do [ "$argument" = --no-audit ] && audits=; done

# A run is audited with another run's adversarial examples, so no part can audit before all have trained.
# A part that fails leaves a gap, which the table names; so each job waits for the end of the last, not its success.
if [ -n "$audits" ]; then
    trained=$(array "$job" "$@" --no-audit)
    last=$(array --dependency="afterany:$trained" "$job" "$@")
else
    trained=
    last=$(array "$job" "$@")
fi
printf -v draw '%q ' "$@" --render-only
drawn=$(submit --job-name=table-draw --dependency="afterany:$last" --wrap "$draw")
echo ${trained:+"$trained"} "$last" "$drawn"
