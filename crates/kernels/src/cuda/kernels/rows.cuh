// Rows of matrices, each by a warp, whose lanes meet in a fixed order.

#define WHOLE_WARP 0xffffffff

// The sum, or the largest, of one value per lane; every lane knows it afterwards, and all the same bits, as of two
// numbers either may come first.
__device__ inline float warp_sum(float value) {
    for (int half = 16; half > 0; half /= 2)
        value += __shfl_xor_sync(WHOLE_WARP, value, half);
    return value;
}

__device__ inline float warp_largest(float value) {
    for (int half = 16; half > 0; half /= 2)
        value = fmaxf(value, __shfl_xor_sync(WHOLE_WARP, value, half));
    return value;
}

// a (N, d) and b (m, d) to (N, m): a warp per distance.
extern "C" __global__ void squared_distances(const float *a, const float *b, float *out, int n, int m, int d) {
    EACH(thread, n);
    int pair = thread / 32, lane = thread % 32;
    float sum = 0;
    for (int k = lane; k < d; k += 32) {
        float off = a[pair / m * d + k] - b[pair % m * d + k];
        sum += off * off;
    }
    sum = warp_sum(sum);
    if (lane == 0)
        out[pair] = sum;
}

// x (N, k) to (N, k). A row with a NaN is NaN throughout: every sum has it.
extern "C" __global__ void log_softmax(const float *x, float *y, int n, int k) {
    EACH(thread, n);
    int row = thread / 32 * k, lane = thread % 32;
    float largest = -INFINITY, sum = 0;
    for (int i = lane; i < k; i += 32)
        largest = fmaxf(largest, x[row + i]);
    largest = warp_largest(largest);
    for (int i = lane; i < k; i += 32)
        sum += expf(x[row + i] - largest);
    sum = logf(warp_sum(sum));
    for (int i = lane; i < k; i += 32)
        y[row + i] = (x[row + i] - largest) - sum;
}

// y and dy (N, k) to the gradient of log_softmax, y being what it made.
extern "C" __global__ void log_softmax_grad(const float *y, const float *dy, float *dx, int n, int k) {
    EACH(thread, n);
    int row = thread / 32 * k, lane = thread % 32;
    float sum = 0;
    for (int i = lane; i < k; i += 32)
        sum += dy[row + i];
    sum = warp_sum(sum);
    for (int i = lane; i < k; i += 32)
        dx[row + i] = dy[row + i] - expf(y[row + i]) * sum;
}
