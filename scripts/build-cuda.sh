#!/bin/sh
# Builds the binaries with CUDA on a machine that has neither the toolkit nor a GPU, in target/cuda/release.
# Usage: scripts/build-cuda.sh [arguments of cargo build, such as --bin table1]
#        scripts/build-cuda.sh tests    the tests that need a GPU, stripped, in target/cuda/tests
#
# The compiler comes as Python packages; it is put into target/cuda/toolkit. The CUDA libraries are not linked but
# looked up when a GPU is first used (build-cuda-lazy.sh), so that the binaries start on any machine. Needs Linux on
# x86-64, cargo, gcc, Python 3 with venv; 4 GB of disk, and a quarter of an hour on two cores the first time.
#
# CUDA_COMPUTE_CAP: the oldest GPUs that must be served: 80 (A100) by default, which later ones understand, H100 and H200
# too; 90 makes kernels that only H100 and H200 load. CUDA's version is 13.0, which drivers from 580 on understand.
set -eu
cd "$(dirname "$0")/.."
work=$PWD/target/cuda

export CUDA_HOME="$work/toolkit/nvidia/cu13"
if [ ! -x "$CUDA_HOME/bin/nvcc" ]; then
    # Python is only asked to unpack, so the version of Python does not matter.
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --no-deps --target "$work/toolkit" \
        nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 \
        nvidia-cuda-cccl==13.0.85 nvidia-cuda-runtime==13.0.96
fi

# Without these, build scripts would ask a GPU.
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-80}" CUDARC_CUDA_VERSION=13000
export CUDA_PATH="$CUDA_HOME" CUDA_ROOT="$CUDA_HOME" PATH="$CUDA_HOME/bin:$PATH"

cargo fetch --locked
scripts/build-cuda-lazy.sh "$work/lazy"
# gcc looks there for libraries named with -l; RUSTFLAGS would do as well, but would replace those of the caller.
export LIBRARY_PATH="$work/lazy${LIBRARY_PATH:+:$LIBRARY_PATH}"

if [ "${1:-}" != tests ]; then
    exec cargo build --locked --release --package experiments --features cuda --target-dir "$work" "$@"
fi
mkdir -p "$work/tests"
for what in kernels/it kernels/precision i2fr/cuda frameworks/cuda; do
    crate=${what%/*} name=${what#*/}
    # Cargo names the file in the last line that is about this target.
    built=$(cargo test --locked --release --package "$crate" --features "$crate/cuda" --test "$name" --no-run \
        --target-dir "$work" --message-format json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
    strip -o "$work/tests/$crate-$name" "$built"
done
ls -l "$work/tests"
