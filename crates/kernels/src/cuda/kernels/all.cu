// The operators of this crate on NVIDIA GPUs, as one module.
//
// Activations are channels-last, 32-bit floats throughout. A kernel takes its inputs, its output and its numbers in this
// order; where each thread makes one value, the first number is how many values there are. Nothing is added with
// atomics: sums are taken in parts, and the parts in a fixed order, so that the same input gives the same bits.

#define EACH(i, n)                                                                                                     \
    int i = blockIdx.x * blockDim.x + threadIdx.x;                                                                     \
    if (i >= n)                                                                                                        \
    return

#include "edge.cuh"
#include "norm.cuh"
#include "pool.cuh"
#include "sums.cuh"
#include "pointwise.cuh"
#include "rows.cuh"
