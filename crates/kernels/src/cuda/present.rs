//! A build with CUDA: kernels on the GPU.

pub(super) use super::cudnn::convolve;
use super::launch::{Input, Launch, Number};
use candle::cuda_backend::cudarc::driver::{CudaView, LaunchConfig, PushKernelArg, result, sys};
use candle::cuda_backend::{CudaDType, CudaDevice, CudaStorage, WrapErr};
use candle::{Device, Layout, Result, bail};

mod ptx {
    include!(concat!(env!("OUT_DIR"), "/ptx.rs"));
}

/// Takes away what costs time at each allocation: events, which nobody would wait for, and memory that goes back to the
/// system at every look at a number.
pub(super) fn prepare(device: &Device) -> Result<()> {
    let gpu = device.as_cuda_device()?;
    // SAFETY: events are waited for between streams that cudarc was asked to make; candle takes each thread's own, and one
    // thread at a time has the GPU's tensors (`super::gpu`).
    unsafe { gpu.disable_event_tracking() };
    let stream = gpu.cuda_stream();
    let context = stream.context();
    context.bind_to_thread().w()?;
    if context.has_async_alloc() {
        let mut kept = u64::MAX;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        // SAFETY: the GPU is open, and the attribute is a number of 64 bits.
        unsafe {
            let pool = result::device::get_default_mem_pool(context.cu_device()).w()?;
            result::mem_pool::set_attribute(pool, attribute, (&raw mut kept).cast()).w()?;
        }
    }
    Ok(())
}

pub(super) fn name(device: &Device) -> Result<String> {
    device.as_cuda_device()?.cuda_stream().context().name().w()
}

/// The numbers of a contiguous layout.
pub(super) fn view<'a, T: CudaDType>(of: &str, (storage, layout): Input<'a>) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("{of}: expected a contiguous tensor, got {layout:?}"),
    }
}

/// Makes what the kernel makes.
pub(super) fn run(launch: &Launch, inputs: &[Input<'_>]) -> Result<CudaStorage> {
    let Some((first, _)) = inputs.first() else { bail!("{}: no inputs", launch.function) };
    let device = first.device.clone();
    // SAFETY: every kernel writes every value of its output. An allocation of nothing would be refused.
    let mut out = unsafe { device.alloc::<f32>(launch.shape.elem_count().max(1))? };
    start(launch, &device, inputs, &mut out.slice_mut(..))?;
    Ok(f32::wrap_cuda_slice(out, device))
}

/// Changes `target`.
pub(super) fn update(
    launch: &Launch,
    (target, layout): (&mut CudaStorage, &Layout),
    inputs: &[Input<'_>],
) -> Result<()> {
    let device = target.device.clone();
    let Some((first, end)) = layout.contiguous_offsets() else {
        bail!("{}: expected a contiguous tensor, got {layout:?}", launch.function)
    };
    start(launch, &device, inputs, &mut target.as_cuda_slice_mut::<f32>()?.slice_mut(first..end))
}

fn start(
    launch: &Launch,
    device: &CudaDevice,
    inputs: &[Input<'_>],
    out: &mut candle::cuda_backend::cudarc::driver::CudaViewMut<'_, f32>,
) -> Result<()> {
    if launch.blocks == 0 {
        return Ok(());
    }
    let function = device.get_or_load_custom_func(launch.function, "i2fr", ptx::ALL)?;
    let views = inputs.iter().map(|&input| view::<f32>(launch.function, input)).collect::<Result<Vec<_>>>()?;
    let table = if launch.table.is_empty() { None } else { Some(device.clone_htod(&launch.table)?) };
    let mut args = function.builder();
    for view in &views {
        args.arg(view);
    }
    if let Some(table) = &table {
        args.arg(table);
    }
    args.arg(out);
    for number in &launch.numbers {
        match number {
            Number::Int(n) => args.arg(n),
            Number::Float(x) => args.arg(x),
        };
    }
    let (blocks, threads) = (launch.blocks as u32, launch.threads as u32);
    let config = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the operators give each kernel the inputs and the numbers of its signature, and check that shapes fit.
    unsafe { args.launch(config) }.w()?;
    Ok(())
}
