// Batch norm and the rectifier behind it. `parameters` is (2, c): gamma, beta; `moments` (2, c): mean, variance.

// The gradient that reaches batch norm through the rectifier; y is what the rectifier made.
__device__ inline float passed(float y, float dy, int relu) { return relu && y <= 0 ? 0 : dy; }

extern "C" __global__ void batch_norm(const float *x, const float *parameters, const float *moments, float *y, int n, int c,
                                float eps, int relu) {
    EACH(i, n);
    int channel = i % c;
    float scale = parameters[channel] / sqrtf(moments[c + channel] + eps);
    float value = (x[i] - moments[channel]) * scale + parameters[c + channel];
    y[i] = relu && value < 0 ? 0 : value;
}

// x, y, dy (rows, c) to (parts, 2, c): the sums of g and of g (x - mean) over `per` rows, g being what passed.
extern "C" __global__ void norm_parts(const float *x, const float *y, const float *dy, const float *moments,
                                      float *parts, int n, int c, int rows, int per, int relu) {
    EACH(i, n);
    int channel = i % c, part = i / c, end = min(rows, (part + 1) * per);
    float mean = moments[channel], sum = 0, product = 0;
    for (int r = part * per; r < end; r++) {
        int at = r * c + channel;
        float g = passed(y[at], dy[at], relu);
        sum += g;
        product += g * (x[at] - mean);
    }
    parts[part * 2 * c + channel] = sum;
    parts[part * 2 * c + c + channel] = product;
}

// The gradient of x; `sums` (2, c) counts only if the moments are the batch's own.
extern "C" __global__ void norm_input_grad(const float *x, const float *y, const float *dy, const float *parameters,
                                           const float *moments, const float *sums, float *dx, int n, int c, int rows,
                                           float eps, int relu, int batch) {
    EACH(i, n);
    int channel = i % c;
    float inverse = 1 / sqrtf(moments[c + channel] + eps);
    float g = passed(y[i], dy[i], relu);
    if (batch) {
        float along = (x[i] - moments[channel]) * inverse * inverse * (sums[c + channel] / rows);
        g = g - sums[channel] / rows - along;
    }
    dx[i] = parameters[channel] * inverse * g;
}

// The gradients of gamma and beta, (2, c).
extern "C" __global__ void norm_parameter_grad(const float *moments, const float *sums, float *dp, int n, int c,
                                               float eps) {
    EACH(i, n);
    dp[i] = i < c ? sums[c + i] / sqrtf(moments[c + i] + eps) : sums[i - c];
}
