// Pooling of channels-last activations.

// (N, pixels, c) to (N, c): the mean.
extern "C" __global__ void average(const float *x, float *y, int n, int pixels, int c) {
    EACH(i, n);
    const float *image = x + i / c * pixels * c + i % c;
    float sum = 0;
    for (int p = 0; p < pixels; p++)
        sum += image[p * c];
    y[i] = sum / pixels;
}

extern "C" __global__ void average_grad(const float *dy, float *dx, int n, int pixels, int c) {
    EACH(i, n);
    dx[i] = dy[i / c / pixels * c + i % c] / pixels;
}

// Whether b, later in order, replaces a. A NaN does, and stays.
__device__ inline bool beats(float b, float a) { return b > a || (isnan(b) && !isnan(a)); }

// Which of the four values of a square is the largest: the first of equals. `square` is its upper left.
__device__ inline int largest(const float *square, int w, int c) {
    int best = 0;
    float value = square[0];
    for (int v = 1; v < 4; v++) {
        float other = square[(v / 2 * w + v % 2) * c];
        if (beats(other, value)) {
            best = v;
            value = other;
        }
    }
    return best;
}

// (N, h, w, c) to (N, h / 2, w / 2, c).
extern "C" __global__ void max_pool2(const float *x, float *y, int n, int h, int w, int c) {
    EACH(i, n);
    int column = i / c % (w / 2), row = i / c / (w / 2) % (h / 2), image = i / c / (w / 2) / (h / 2);
    const float *square = x + ((image * h + 2 * row) * w + 2 * column) * c + i % c;
    int best = largest(square, w, c);
    y[i] = square[(best / 2 * w + best % 2) * c];
}

extern "C" __global__ void max_pool2_grad(const float *x, const float *dy, float *dx, int n, int h, int w, int c) {
    EACH(i, n);
    int channel = i % c, column = i / c % w, row = i / c / w % h, image = i / c / w / h;
    int oh = h / 2, ow = w / 2;
    dx[i] = 0;
    // An odd last row or column is in no square.
    if (row / 2 < oh && column / 2 < ow) {
        const float *square = x + ((image * h + row / 2 * 2) * w + column / 2 * 2) * c + channel;
        if (largest(square, w, c) == row % 2 * 2 + column % 2)
            dx[i] = dy[((image * oh + row / 2) * ow + column / 2) * c + channel];
    }
}
