#!/usr/bin/env bash
# A disk that gets full at every stage of a training, and a folder that nobody can write to. Needs root on Linux: it
# mounts a small file system, and a folder read-only.
#
#   scripts/disk-test.sh
#
# BIN=target/debug uses other binaries than those of `cargo build --release`.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${BIN:-target/release}")
[ -n "${BIN:-}" ] || cargo build --release --quiet --bins

place=$(mktemp -d)
disk="$place/disk"
mkdir "$disk"
unmount() { while umount "$disk" 2>/dev/null; do :; done; }
trap 'unmount; rm -rf "$place"' EXIT

train=("$bin/train" --profile quick --framework trades --i2fr --epochs 3 --train-examples 700 --eval-examples 50
    --save-minutes 0.005)

fail() { echo "disk-test: FAILED: $*" >&2; exit 1; }
results() {
    cd "$1"
    find . -name '*.safetensors' ! -name 'resume*' -o -name epochs.csv -o -name examples.csv | sort | xargs sha256sum
}
# Runs the command; what it says is in $place/said, how it ends in $code.
run() {
    code=0
    "$@" >"$place/said" 2>&1 || code=$?
}
# It failed with code 1 and one line, the last, that begins with `error: ` and holds $1.
refused() {
    [ "$code" = 1 ] || fail "code $code: $(tail -1 "$place/said")"
    [ "$(grep -c '^error: ' "$place/said")" = 1 ] || fail "not one error: $(cat "$place/said")"
    tail -1 "$place/said" | grep -q "^error: .*$1" || fail "$(tail -1 "$place/said")"
}

run "${train[@]}" --out "$place/whole"
[ "$code" = 0 ] || fail "$(tail -1 "$place/said")"

# From space for nothing to all that it takes.
for ((size = 20; ; size += 150)); do
    mount -t tmpfs -o size="${size}k" disk "$disk"
    run "${train[@]}" --out "$disk"
    [ "$code" != 0 ] || break
    refused "No space left"
    echo "disk-test: $size KiB: $(tail -1 "$place/said" | sed "s|$place/||")"
    left=$(find "$disk" -name '.*' -type f -o -name run.lock)
    [ -z "$left" ] || fail "a full disk of $size KiB left $left"
    mount -o remount,size=64m "$disk"
    run "${train[@]}" --out "$disk"
    [ "$code" = 0 ] || fail "with space again: $(tail -1 "$place/said")"
    diff <(results "$place/whole") <(results "$disk") || fail "what a full disk of $size KiB interrupted differs"
    umount "$disk"
done

mount -o remount,ro "$disk"
before=$(find "$disk" | sort | xargs ls -ld --time-style=full-iso)
run "${train[@]}" --out "$disk"
refused "$disk/runs/.*make its folder writable or choose another"
run "${train[@]}" --seeds 5 --out "$disk"
refused "$disk/runs/.*choose another folder"
"$bin/runs" verify --out "$disk" >/dev/null
[ "$before" = "$(find "$disk" | sort | xargs ls -ld --time-style=full-iso)" ] || fail "a read-only folder changed"
echo "disk-test: passed: a full disk and a read-only one each give one line; nothing is left, the rest is the same to the bit"
