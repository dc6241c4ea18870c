//! A GPU whose memory is full.

use candle::Error;

/// The error `e` of a pass over `images` images; where it means that a GPU's memory is full, one line that says so and
/// how many images were tried.
pub fn out_of_memory(e: Error, images: usize) -> Error {
    // Three libraries allocate, each with an error of its own, and candle keeps their words only.
    let words = ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED", "ALLOCATION_FAILED"];
    let said = e.to_string();
    if words.iter().any(|word| said.contains(word)) {
        Error::msg(format!("the GPU's memory is full with {images} images at once; take fewer (in training: --batch)"))
    } else {
        e
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_memory_is_told_otherwise() {
        let of_cuda = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        for full in [of_cuda, "cuDNN answers CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"] {
            let told = out_of_memory(Error::msg(full), 512).to_string();
            assert!(told.contains("512 images") && told.contains("--batch"), "{told}");
        }
        let other = out_of_memory(Error::msg("another"), 512).to_string();
        // candle may append a backtrace.
        assert!(other.starts_with("another"), "{other}");
    }
}
