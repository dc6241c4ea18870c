// Into the channels-last world, out of it, and the shortcut that pads channels.

// Images (N, c, pixels) to (N, pixels, c), normalised; `table` is c means, then c deviations.
extern "C" __global__ void enter(const float *x, const float *table, float *y, int n, int c, int pixels) {
    EACH(i, n);
    int channel = i % c, pixel = i / c % pixels, image = i / c / pixels;
    y[i] = (x[(image * c + channel) * pixels + pixel] - table[channel]) / table[c + channel];
}

extern "C" __global__ void enter_grad(const float *dy, const float *table, float *dx, int n, int c, int pixels) {
    EACH(i, n);
    int pixel = i % pixels, channel = i / pixels % c, image = i / pixels / c;
    dx[i] = dy[(image * pixels + pixel) * c + channel] / table[c + channel];
}

// Each example, a (rows, columns) matrix, to (columns, rows).
extern "C" __global__ void transpose_each(const float *from, float *to, int n, int rows, int columns) {
    EACH(i, n);
    int row = i % rows, column = i / rows % columns, example = i / rows / columns;
    to[i] = from[(example * rows + row) * columns + column];
}

// (N, h, w, c) to (N, oh, ow, channels), and back.
extern "C" __global__ void shortcut_a(const float *x, float *y, int n, int h, int w, int c, int oh, int ow,
                                      int channels, int stride) {
    EACH(i, n);
    int channel = i % channels - (channels - c) / 2, column = i / channels % ow, row = i / channels / ow % oh;
    int image = i / channels / ow / oh;
    bool inside = channel >= 0 && channel < c;
    y[i] = inside ? x[((image * h + row * stride) * w + column * stride) * c + channel] : 0;
}

extern "C" __global__ void shortcut_a_grad(const float *dy, float *dx, int n, int h, int w, int c, int oh, int ow,
                                           int channels, int stride) {
    EACH(i, n);
    int channel = i % c, column = i / c % w, row = i / c / w % h, image = i / c / w / h;
    bool seen = row % stride == 0 && column % stride == 0;
    int at = ((image * oh + row / stride) * ow + column / stride) * channels + channel + (channels - c) / 2;
    dx[i] = seen ? dy[at] : 0;
}
