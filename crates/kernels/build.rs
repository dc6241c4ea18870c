//! Compiles the CUDA kernels to PTX, which the driver compiles for its GPU; nothing without the feature `cuda`.

#[cfg(feature = "cuda")]
fn main() -> cudaforge::Result<()> {
    let ptx = cudaforge::KernelBuilder::new()
        .source_files(["src/cuda/kernels/all.cu"])
        .watch(["src/cuda/kernels"])
        .args(["-O3", "-Werror", "all-warnings"])
        .build_ptx()?;
    ptx.write(std::path::Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join("ptx.rs"))
}

#[cfg(not(feature = "cuda"))]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
