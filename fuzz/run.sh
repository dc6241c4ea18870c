#!/usr/bin/env bash
# Fuzzes each parser of data sets, weights and stored results in turn, or those that are named:
#
#     fuzz/run.sh [SECONDS-EACH [TARGET...]]
#
# Starts from the seeds, which come from `cargo run --manifest-path fuzz/Cargo.toml --example seeds`, and from what earlier
# runs found (corpus/, at first that of corpus.tar.gz, which keep.sh makes). Stops at a crash (artifacts/). Prints the
# number of executions of each target.
#
# Without AddressSanitizer: no parser has unsafe code of its own, so what there is to find are panics, overflows, loops
# and memory, and there is more time to find them.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
[ $# -gt 0 ] || set -- $(cargo +nightly fuzz list)
[ -d fuzz/corpus ] || tar -C fuzz -xzf fuzz/corpus.tar.gz

I2FR_FUZZ_FOLDER=$(mktemp -d /dev/shm/i2fr-fuzz-XXXXXX)
export I2FR_FUZZ_FOLDER
trap 'rm -rf "$I2FR_FUZZ_FOLDER"' EXIT

for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    log=$(mktemp)
    # A parser that needs a gigabyte or ten seconds for a few kilobytes is as broken as one that panics.
    if ! cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -rss_limit_mb=1024 -timeout=10 -max_len=8192 -max_total_time="$seconds" -print_final_stats=1 >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        exit 1
    fi
    printf '%-12s %s executions\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    rm "$log"
done
