// Value by value: the rectifier, the bias, an attack's step, and the steps of optimisers.

// NaN stays NaN.
__device__ inline float rectified(float x) { return x < 0 ? 0 : x; }
__device__ inline float clipped(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

extern "C" __global__ void relu(const float *x, float *y, int n) {
    EACH(i, n);
    y[i] = rectified(x[i]);
}

extern "C" __global__ void add_relu(const float *a, const float *b, float *y, int n) {
    EACH(i, n);
    y[i] = rectified(a[i] + b[i]);
}

extern "C" __global__ void mask(const float *y, const float *dy, float *dx, int n) {
    EACH(i, n);
    dx[i] = y[i] <= 0 ? 0 : dy[i];
}

extern "C" __global__ void bias(const float *x, const float *b, float *y, int n, int c, int relu) {
    EACH(i, n);
    float value = x[i] + b[i % c];
    y[i] = relu ? rectified(value) : value;
}

extern "C" __global__ void linf_step(const float *adv, const float *grad, const float *centre, float *out, int n,
                                     float step, float eps) {
    EACH(i, n);
    float moved = adv[i] + (grad[i] < 0 ? -step : grad[i] > 0 ? step : grad[i]);
    out[i] = clipped(centre[i] + clipped(moved - centre[i], -eps, eps), 0, 1);
}

extern "C" __global__ void sgd_velocity(const float *w, const float *grad, float *v, int n, float momentum,
                                        float decay) {
    EACH(i, n);
    v[i] = momentum * v[i] + (grad[i] + decay * w[i]);
}

extern "C" __global__ void sgd_descend(const float *v, const float *grad, float *w, int n, float lr, float momentum,
                                       float decay, int nesterov) {
    EACH(i, n);
    w[i] -= lr * (nesterov ? (grad[i] + decay * w[i]) + momentum * v[i] : v[i]);
}

// m = kept * m + fresh * g, and the same of the squares, for g with weight decay.
extern "C" __global__ void adam_mean(const float *w, const float *grad, float *m, int n, float kept, float fresh,
                                     float decay) {
    EACH(i, n);
    m[i] = kept * m[i] + fresh * (grad[i] + decay * w[i]);
}

extern "C" __global__ void adam_square(const float *w, const float *grad, float *v, int n, float kept, float fresh,
                                       float decay) {
    EACH(i, n);
    float g = grad[i] + decay * w[i];
    v[i] = kept * v[i] + fresh * g * g;
}

extern "C" __global__ void adam_descend(const float *m, const float *v, float *w, int n, float size, float root,
                                        float eps) {
    EACH(i, n);
    w[i] -= size * m[i] / (sqrtf(v[i]) / root + eps);
}
