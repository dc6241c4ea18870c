#!/usr/bin/env bash
# Kills a training and a table at random moments, over and over, and compares what they end with, to the bit,
# with what they end with undisturbed.
#
#   scripts/kill-test.sh [KILLS]        kills of each of the two, default 50
#
# BIN=target/debug uses other binaries than those of `cargo build --release`.
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:-50}
bin=${BIN:-target/release}
[ -n "${BIN:-}" ] || cargo build --release --quiet --bins

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

train=(train --profile quick --framework trades --i2fr --i2fr-reference running-means
    --epochs 4 --train-examples 1200 --eval-examples 50 --save-minutes 0.005)
table=(table1 --profile quick --only mart --epochs 2 --train-examples 700 --eval-examples 40
    --autoattack-examples 4 --save-minutes 0.005)

fail() { echo "kill-test: FAILED: $*" >&2; exit 1; }
milliseconds() { date +%s%3N; }

# Everything but times, places and what only describes the machine.
results() {
    (
        cd "$1"
        find . -name '*.safetensors' ! -name 'resume*' -o -name epochs.csv -o -name examples.csv | sort | xargs sha256sum
        find . -name evaluations.csv | sort | xargs cut -d, -f1-5,7
        find . -name cells.csv | sort | xargs sed 's/,[^,]*$//'
    )
}

# What `name` and its arguments come to after `kills` kills, the last of which leaves it to finish by itself.
torment() {
    local name=$1 whole=$2 killed=0 moment code
    local out="$place/$name-killed"
    shift 2
    while [ "$killed" -lt "$kills" ]; do
        "$bin/$@" --out "$out" >"$place/log" 2>&1 &
        # From before anything is there to a third of the whole.
        moment=$((RANDOM * (whole / 3 + 200) / 32768))
        sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
        kill -9 $! 2>/dev/null || true
        code=0
        wait $! 2>/dev/null || code=$?
        case $code in
            137) killed=$((killed + 1)) ;;
            # It was sooner done: begin again, so that every kill hits something.
            0) compare "$name" "$out"; rm -rf "$out" ;;
            *) fail "$name ended with code $code: $(tail -1 "$place/log")" ;;
        esac
    done
    "$bin/$@" --out "$out" >"$place/log" 2>&1 || fail "$name after $killed kills: $(tail -1 "$place/log")"
    compare "$name" "$out"
    left=$(find "$out" -name '.*' -type f -o -name run.lock -o -name 'resume*')
    [ -z "$left" ] || fail "$name left $left"
    "$bin/runs" verify --out "$out" >"$place/log" 2>&1 || fail "$name: $(cat "$place/log")"
    echo "kill-test: $name: $killed kills, same bits, nothing left behind"
}

compare() {
    diff <(results "$place/$1") <(results "$2") >"$place/difference" || fail "$1 differs: $(head -5 "$place/difference")"
}

# A signal stops it kindly: code 130, a state, no lock.
interrupt() {
    local out="$place/interrupted" code=0
    "$bin/${train[0]}" "${train[@]:1}" --out "$out" >/dev/null 2>"$place/log" &
    until ls "$out"/runs/*/run.lock >/dev/null 2>&1; do sleep 0.01; done
    sleep 0.2
    kill -INT $!
    wait $! || code=$?
    [ "$code" = 130 ] || fail "SIGINT: code $code: $(tail -1 "$place/log")"
    ls "$out"/runs/*/resume.safetensors >/dev/null || fail "SIGINT left no state"
    ! ls "$out"/runs/*/run.lock >/dev/null 2>&1 || fail "SIGINT left a lock"
    "$bin/${train[0]}" "${train[@]:1}" --out "$out" >/dev/null 2>"$place/log" || fail "$(tail -1 "$place/log")"
    compare train "$out"
    echo "kill-test: SIGINT: code 130, resumed, same bits"
}

for name in train table; do
    declare -n command=$name
    began=$(milliseconds)
    "$bin/${command[0]}" "${command[@]:1}" --out "$place/$name" >"$place/log" 2>&1 || fail "$(tail -1 "$place/log")"
    whole=$(($(milliseconds) - began))
    [ "$name" = table ] || interrupt
    torment "$name" "$whole" "${command[@]}"
done
echo "kill-test: passed: $kills kills of each"
