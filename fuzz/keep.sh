#!/usr/bin/env bash
# Reduces what fuzzing found (corpus/) to inputs that each reach something of their own, and packs them for the next
# one to begin with (corpus.tar.gz).
#
#     fuzz/keep.sh
set -euo pipefail
cd "$(dirname "$0")"

I2FR_FUZZ_FOLDER=$(mktemp -d /dev/shm/i2fr-fuzz-XXXXXX)
export I2FR_FUZZ_FOLDER
trap 'rm -rf "$I2FR_FUZZ_FOLDER"' EXIT

for target in $(cargo +nightly fuzz list); do
    cargo +nightly fuzz cmin --sanitizer none "$target" "corpus/$target" -- -max_len=8192
done
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -czf corpus.tar.gz corpus
