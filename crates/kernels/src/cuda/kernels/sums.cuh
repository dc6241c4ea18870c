// Sums over rows of channels, in two stages.
//
// First stage: thread (part, channel) goes through the rows of its part; neighbouring threads read neighbouring
// channels. Second stage: one block per column takes the parts together, in 64 bits.

#define FOLD_THREADS 128

// The sum of one value per thread, known to all threads of the block afterwards.
__device__ inline double block_sum(double value) {
    __shared__ double values[FOLD_THREADS];
    values[threadIdx.x] = value;
    __syncthreads();
    for (int half = FOLD_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            values[threadIdx.x] += values[threadIdx.x + half];
        __syncthreads();
    }
    double sum = values[0];
    __syncthreads();
    return sum;
}

// (parts, columns) to (columns,): the sum of each column.
extern "C" __global__ void fold(const float *parts, float *sums, int count, int columns) {
    double sum = 0;
    for (int p = threadIdx.x; p < count; p += FOLD_THREADS)
        sum += parts[p * columns + blockIdx.x];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

// x (rows, c) to (parts, c): the sum of each channel over `per` rows.
extern "C" __global__ void column_parts(const float *x, float *parts, int n, int c, int rows, int per) {
    EACH(i, n);
    int end = min(rows, (i / c + 1) * per);
    float sum = 0;
    for (int r = i / c * per; r < end; r++)
        sum += x[r * c + i % c];
    parts[i] = sum;
}

// x (rows, c) to (parts, 2, c): mean, and sum of squared differences from it, over `per` rows. Differences are taken
// from the part's first value, so that a large mean does not cancel.
extern "C" __global__ void moments_parts(const float *x, float *parts, int n, int c, int rows, int per) {
    EACH(i, n);
    int channel = i % c, part = i / c, first = part * per, end = min(rows, first + per);
    float origin = x[first * c + channel], sum = 0, squares = 0;
    for (int r = first + 1; r < end; r++) {
        float d = x[r * c + channel] - origin;
        sum += d;
        squares += d * d;
    }
    float off = sum / (end - first);
    parts[part * 2 * c + channel] = origin + off;
    parts[part * 2 * c + c + channel] = squares - sum * off;
}

// (parts, 2, c) to (2, c): mean and variance (divided by the number of rows); a block per channel.
extern "C" __global__ void moments_fold(const float *parts, float *moments, int count, int c, int rows, int per) {
    double sum = 0;
    for (int p = threadIdx.x; p < count; p += FOLD_THREADS)
        sum += (double)parts[p * 2 * c + blockIdx.x] * (min(rows, (p + 1) * per) - p * per);
    double mean = block_sum(sum) / rows, squares = 0;
    for (int p = threadIdx.x; p < count; p += FOLD_THREADS) {
        double off = parts[p * 2 * c + blockIdx.x] - mean;
        squares += parts[p * 2 * c + c + blockIdx.x] + off * off * (min(rows, (p + 1) * per) - p * per);
    }
    squares = block_sum(squares);
    if (threadIdx.x == 0) {
        moments[blockIdx.x] = mean;
        moments[c + blockIdx.x] = squares < 0 ? 0 : squares / rows;
    }
}
