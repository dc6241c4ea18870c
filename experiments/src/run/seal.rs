//! A checkpoint that carries its own checksum: SHA-256 of the file with zeros for the digits.

use crate::provenance::sha256;
use anyhow::{Context, Result};
use candle::Tensor;
use models::checkpoint;
use std::{collections::BTreeMap, ops::Range, path::Path};

/// The entry of the metadata.
const KEY: &str = "sha256";
const DIGITS: usize = 64;

/// `tensors` and `about` as a safetensors file at `path` holds them, sealed.
pub(super) fn sealed(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    mut about: BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    about.insert(KEY.into(), "0".repeat(DIGITS));
    let mut bytes = checkpoint::serialize(path, tensors, &about)?;
    let digest = sha256(&bytes);
    let place = place(&bytes).context("the metadata just written has a place for the checksum")?;
    bytes[place].copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

/// An error if a bit of the file's content `bytes` has changed since it was sealed.
pub(super) fn check(mut bytes: Vec<u8>) -> Result<()> {
    let place = place(&bytes).context("it is cut short or no such file")?;
    let digest = bytes[place.clone()].to_vec();
    bytes[place].fill(b'0');
    anyhow::ensure!(sha256(&bytes).as_bytes() == digest, "its content does not have its checksum");
    Ok(())
}

/// Where the digits stand. No text inside the metadata looks like it: its quotes are escaped.
fn place(bytes: &[u8]) -> Option<Range<usize>> {
    let key = format!("\"{KEY}\":\"");
    let start = bytes.windows(key.len()).position(|window| window == key.as_bytes())? + key.len();
    (start + DIGITS <= bytes.len()).then_some(start..start + DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle::Device;

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let tensor = Tensor::new(&[1f32, -0., 3.5], &Device::Cpu).unwrap();
        let tensors = BTreeMap::from([("net/w".to_owned(), tensor)]);
        let about = BTreeMap::from([("history".to_owned(), "a \"sha256\":\"b\"\n".to_owned())]);
        let bytes = sealed(Path::new("state"), &tensors, about).unwrap();
        check(bytes.clone()).unwrap();
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[i] ^= 1 << bit;
                assert!(check(damaged).is_err(), "bit {bit} of byte {i}");
            }
            assert!(check(bytes[..i].to_vec()).is_err(), "cut to {i} bytes");
        }
    }
}
