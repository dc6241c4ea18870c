//! The three passes of a convolution by cuDNN.
//!
//! Activations are channels-last, filters (O, K, K, I). What cuDNN has to be told about a convolution is told once per
//! shape and precision; of its algorithms only those are taken that give the same bits every time. In bfloat16 the
//! factors are rounded before and the result is widened behind, so that nothing outside of here knows of it.
//! cudarc's safe types show only the algorithm ranked first, hence its `result` module here.

use super::launch::Input;
use super::precision::{Precision, precision};
use super::present::view;
use crate::conv::{NAME, Pass, Shape};
use candle::backend::BackendStorage;
use candle::cuda_backend::cudarc::cudnn::result::{self, CudnnError};
use candle::cuda_backend::cudarc::cudnn::sys;
use candle::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DevicePtr, DevicePtrMut, DeviceRepr, ValidAsZeroBits};
use candle::cuda_backend::{CudaDType, CudaDevice, CudaStorage, DeviceId, WrapErr};
use candle::{DType, Error, Layout, Result, bail};
use half::bf16;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// Algorithms with a larger workspace come last.
const LARGEST_WORKSPACE: usize = 1 << 30;
/// More algorithms than cuDNN has for any pass.
const ALGORITHMS: usize = 16;

/// What is known of each GPU by each thread: candle gives every thread a stream of its own, and passes in two streams must
/// not share a workspace. Never dropped: at exit the driver may be gone before a destructor runs.
static GPUS: LazyLock<Mutex<HashMap<(DeviceId, ThreadId), Gpu>>> = LazyLock::new(Mutex::default);

/// `a` and `b` are what [`Pass`] says, contiguous and of the shape's sizes.
pub(super) fn convolve(pass: Pass, shape: &Shape, a: Input<'_>, b: Input<'_>) -> Result<CudaStorage> {
    let precision = precision();
    // candle cannot round an empty tensor, and there is nothing to round.
    if precision != Precision::Bf16 || shape.n == 0 {
        return convolve_in::<f32>(precision, pass, shape, a, b);
    }
    let rounded = |(storage, layout): Input<'_>| {
        Ok::<_, Error>((storage.to_dtype(layout, DType::BF16)?, Layout::contiguous(layout.shape())))
    };
    let ((a, la), (b, lb)) = (rounded(a)?, rounded(b)?);
    let out = convolve_in::<bf16>(precision, pass, shape, (&a, &la), (&b, &lb))?;
    out.to_dtype(&Layout::contiguous(shape.len_of_result(pass)), DType::F32)
}

/// As [`convolve`], of numbers of the kind that cuDNN has for the precision.
fn convolve_in<T: CudaDType + DeviceRepr + ValidAsZeroBits>(
    precision: Precision,
    pass: Pass,
    shape: &Shape,
    a: Input<'_>,
    b: Input<'_>,
) -> Result<CudaStorage> {
    let device = a.0.device.clone();
    let Shape { n, h, w, i, o, oh, ow, .. } = *shape;
    if (n * h * w * i).max(n * oh * ow * o) > i32::MAX as usize {
        bail!("{NAME} of {n} images: cuDNN counts to 2^31 values; take fewer (in training: --batch)")
    }
    let values = shape.len_of_result(pass).max(1);
    if shape.n == 0 {
        // Nothing, or the gradient of a weight that nothing passed.
        return Ok(T::wrap_cuda_slice(device.alloc_zeros::<T>(values)?, device));
    }
    // SAFETY: cuDNN writes every value of its output, as nothing is added to what is there.
    let mut out = unsafe { device.alloc::<T>(values)? };
    // What a panicking thread leaves behind is whole: plans are put there when they are made.
    let mut gpus = GPUS.lock().unwrap_or_else(PoisonError::into_inner);
    let gpu = match gpus.entry((device.id(), thread::current().id())) {
        std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
        std::collections::hash_map::Entry::Vacant(new) => new.insert(Gpu::new(&device)?),
    };
    gpu.run((pass, *shape, precision), &device, [view::<T>(NAME, a)?, view(NAME, b)?], &mut out)?;
    Ok(T::wrap_cuda_slice(out, device))
}

fn said(e: CudnnError) -> Error {
    Error::msg(format!("{NAME}: cuDNN answers {e}"))
}

/// What a plan is made for.
type Problem = (Pass, Shape, Precision);

/// A GPU with what cuDNN knows of it.
struct Gpu {
    handle: sys::cudnnHandle_t,
    /// For one pass at a time: they follow each other in the thread's stream.
    workspace: CudaSlice<u8>,
    plans: HashMap<Problem, Plan>,
}

// SAFETY: a handle and its descriptors may be used by any thread, but by one at a time: `GPUS` is locked meanwhile.
unsafe impl Send for Gpu {}

/// One pass of convolutions of one shape.
struct Plan {
    x: sys::cudnnTensorDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    filter: sys::cudnnFilterDescriptor_t,
    geometry: sys::cudnnConvolutionDescriptor_t,
    /// The best first.
    candidates: Vec<Candidate>,
    /// Why the last one that was asked for is not among them.
    refused: Option<CudnnError>,
}

/// Whether cuDNN has no such algorithm, or not for this shape: errors from 2000 on are of arguments, from 3000 of what is not
/// supported. Of arguments, a null pointer, an address or a stream is no fault of the algorithm.
fn unsupported(CudnnError(e): CudnnError) -> bool {
    (2000..4000).contains(&(e as u32)) && ![2002, 2003, 2007].contains(&(e as u32))
}

#[derive(Clone, Copy)]
struct Candidate {
    algorithm: Algorithm,
    /// Of workspace.
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
enum Algorithm {
    Forward(sys::cudnnConvolutionFwdAlgo_t),
    InputGrad(sys::cudnnConvolutionBwdDataAlgo_t),
    WeightGrad(sys::cudnnConvolutionBwdFilterAlgo_t),
}

impl Gpu {
    fn new(device: &CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        stream.context().bind_to_thread().w()?;
        let handle = result::create_handle().map_err(said)?;
        // SAFETY: the handle was just made; candle keeps the stream as long as the device, which tensors keep.
        unsafe { result::set_stream(handle, stream.cu_stream().cast()) }.map_err(said)?;
        Ok(Self { handle, workspace: device.alloc_zeros::<u8>(1)?, plans: HashMap::new() })
    }

    fn run<T>(
        &mut self,
        problem: Problem,
        device: &CudaDevice,
        [a, b]: [CudaView<'_, T>; 2],
        out: &mut CudaSlice<T>,
    ) -> Result<()> {
        let stream = device.cuda_stream();
        stream.context().bind_to_thread().w()?;
        let plan = match self.plans.entry(problem) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                // SAFETY: the handle lives.
                new.insert(unsafe { Plan::new(self.handle, problem) }.map_err(said)?)
            }
        };
        let ((a, _reads_a), (b, _reads_b), (out, _writes)) =
            (a.device_ptr(&stream), b.device_ptr(&stream), out.device_ptr_mut(&stream));
        let mut refused = plan.refused.map(|e| format!("; {e}"));
        while let Some(&Candidate { algorithm, bytes }) = plan.candidates.first() {
            if self.workspace.len() < bytes {
                // The old one goes first, so that there is never room for both.
                self.workspace = device.alloc_zeros::<u8>(1)?;
                // SAFETY: cuDNN writes what it reads there.
                self.workspace = unsafe { device.alloc::<u8>(bytes)? };
            }
            let (workspace, _writes) = self.workspace.device_ptr_mut(&stream);
            // SAFETY: sizes are those of the shape, the workspace is large enough, all lives until it is enqueued.
            match unsafe { plan.start(self.handle, algorithm, a as _, b as _, out as _, workspace as _, bytes) } {
                Ok(()) => return Ok(()),
                // The next one, from now on.
                Err(e) if unsupported(e) => {
                    refused = Some(format!("; {algorithm:?}: {e}"));
                    plan.candidates.remove(0);
                }
                Err(e) => return Err(said(e)),
            }
        }
        let (pass, shape, precision) = problem;
        bail!(
            "{NAME}: cuDNN has no algorithm for {pass:?} of {shape:?} in {precision} that gives the same bits every time{}",
            refused.unwrap_or_default()
        )
    }
}

/// The algorithms of one pass that give the same bits every time: those that cuDNN ranks and calls so, then those that its
/// manual calls so.
macro_rules! ranked {
    ($kind:ident, $perf:ty, $rank:ident, $size:ident, [$($known:expr),+], $handle:expr, $descriptors:tt) => {{
        // All zeros are valid values of the fields: numbers and enums that begin at 0.
        let mut found = [std::mem::zeroed::<$perf>(); ALGORITHMS];
        let mut count = 0;
        // Where it ranks nothing, nothing is found.
        let ranked = ranked!(@call result::$rank, $handle, $descriptors, ALGORITHMS as _, &raw mut count, found.as_mut_ptr());
        let mut refused = ranked.err();
        let found = found.iter().take(count as usize).filter(|p| {
            p.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                && p.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC
        });
        // Asked again, as the ranking may have had another kind of arithmetic in mind.
        let usable = found.map(|p| p.algo).chain([$($known),+]).filter_map(|algorithm| {
            let bytes = ranked!(@call result::$size, $handle, $descriptors, algorithm);
            let bytes = bytes.map_err(|e| refused = Some(e)).ok()?;
            Some(Candidate { algorithm: Algorithm::$kind(algorithm), bytes })
        });
        let mut candidates: Vec<_> = usable.collect();
        candidates.sort_by_key(|c| c.bytes > LARGEST_WORKSPACE);
        (candidates, refused)
    }};
    (@call $f:path, $handle:expr, ($($descriptor:expr),+), $($rest:expr),+) => { $f($handle, $($descriptor),+, $($rest),+) };
}

impl Plan {
    /// # Safety
    /// `handle` lives.
    unsafe fn new(
        handle: sys::cudnnHandle_t,
        (pass, shape, precision): Problem,
    ) -> std::result::Result<Self, CudnnError> {
        let int = |size: usize| size as i32;
        let Shape { n, h, w, i, o, k, stride, padding, oh, ow } = shape;
        let (layout, float) = (sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC, sys::cudnnDataType_t::CUDNN_DATA_FLOAT);
        let (number, math) = match precision {
            Precision::F32 => (float, sys::cudnnMathType_t::CUDNN_FMA_MATH),
            // Of 32-bit tensors, the default rounds factors where a GPU gains by it.
            Precision::Tf32 => (float, sys::cudnnMathType_t::CUDNN_DEFAULT_MATH),
            Precision::Bf16 => (sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16, sys::cudnnMathType_t::CUDNN_DEFAULT_MATH),
        };
        // SAFETY: each descriptor is made before it is used, and none is destroyed.
        unsafe {
            let tensor = |sizes: [usize; 4]| {
                let descriptor = result::create_tensor_descriptor()?;
                result::set_tensor4d_descriptor(descriptor, layout, number, sizes.map(int))?;
                Ok(descriptor)
            };
            // Sizes are named in this order whatever the layout.
            let (x, y) = (tensor([n, i, h, w])?, tensor([n, o, oh, ow])?);
            let filter = result::create_filter_descriptor()?;
            result::set_filter4d_descriptor(filter, number, layout, [o, i, k, k].map(int))?;
            let geometry = result::create_convolution_descriptor()?;
            let (p, s) = (int(padding), int(stride));
            let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
            // Sums are in 32 bits whatever is added.
            result::set_convolution2d_descriptor(geometry, p, p, s, s, 1, 1, mode, float)?;
            result::set_convolution_math_type(geometry, math)?;
            let (candidates, refused) = match pass {
                Pass::Forward => ranked!(
                    Forward,
                    sys::cudnnConvolutionFwdAlgoPerf_t,
                    get_convolution_forward_algorithm,
                    get_convolution_forward_workspace_size,
                    [
                        sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                        sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM
                    ],
                    handle,
                    (x, filter, geometry, y)
                ),
                Pass::InputGrad => ranked!(
                    InputGrad,
                    sys::cudnnConvolutionBwdDataAlgoPerf_t,
                    get_convolution_backward_data_algorithm,
                    get_convolution_backward_data_workspace_size,
                    [sys::cudnnConvolutionBwdDataAlgo_t::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1],
                    handle,
                    (filter, y, geometry, x)
                ),
                Pass::WeightGrad => ranked!(
                    WeightGrad,
                    sys::cudnnConvolutionBwdFilterAlgoPerf_t,
                    get_convolution_backward_filter_algorithm,
                    get_convolution_backward_filter_workspace_size,
                    [sys::cudnnConvolutionBwdFilterAlgo_t::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1],
                    handle,
                    (x, y, geometry, filter)
                ),
            };
            match refused {
                // What is wrong is not the algorithms: a library that does not load, a GPU without memory.
                Some(e) if candidates.is_empty() && !unsupported(e) => Err(e),
                _ => Ok(Self { x, y, filter, geometry, candidates, refused }),
            }
        }
    }

    /// # Safety
    /// `handle` lives; `a`, `b` and `out` are what the pass reads and writes, of the plan's sizes; the workspace has
    /// `bytes`.
    #[allow(clippy::too_many_arguments)]
    unsafe fn start(
        &self,
        handle: sys::cudnnHandle_t,
        algorithm: Algorithm,
        a: *const c_void,
        b: *const c_void,
        out: *mut c_void,
        workspace: *mut c_void,
        bytes: usize,
    ) -> std::result::Result<(), CudnnError> {
        let Self { x, y, filter, geometry, .. } = *self;
        // out = one * result + none * out
        let (one, none) = ((&raw const ONE).cast(), (&raw const NONE).cast());
        // SAFETY: the caller's promise.
        unsafe {
            match algorithm {
                Algorithm::Forward(algorithm) => result::convolution_forward(
                    handle, one, x, a, filter, b, geometry, algorithm, workspace, bytes, none, y, out,
                ),
                Algorithm::InputGrad(algorithm) => result::convolution_backward_data(
                    handle, one, filter, b, y, a, geometry, algorithm, workspace, bytes, none, x, out,
                ),
                Algorithm::WeightGrad(algorithm) => result::convolution_backward_filter(
                    handle, one, x, a, y, b, geometry, algorithm, workspace, bytes, none, filter, out,
                ),
            }
        }
    }
}

static ONE: f32 = 1.0;
static NONE: f32 = 0.0;
