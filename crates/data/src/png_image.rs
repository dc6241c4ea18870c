//! One PNG image to bytes in (C, H, W) order.

use std::io::Cursor;

use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder};

/// Decodes `png` into `out`, which holds one image of `shape` = `[channels, height, width]`.
///
/// # Errors
/// One phrase saying why this is not a PNG of that size and 8 bits a channel.
pub(crate) fn decode(png: &[u8], shape: [usize; 3], out: &mut [u8]) -> Result<(), String> {
    let [channels, height, width] = shape;
    let colour = if channels == 1 { ColorType::L8 } else { ColorType::Rgb8 };
    let decoder = PngDecoder::new(Cursor::new(png)).map_err(|e| format!("not a PNG image ({e})"))?;
    let (w, h) = decoder.dimensions();
    if (w as usize, h as usize) != (width, height) {
        return Err(format!("the image is {w}x{h}, expected {width}x{height}"));
    }
    if decoder.color_type() != colour {
        return Err(format!("the image is {:?}, expected {colour:?}", decoder.color_type()));
    }
    let mut interleaved = vec![0; height * width * channels];
    decoder.read_image(&mut interleaved).map_err(|e| format!("damaged PNG image ({e})"))?;
    for (channel, plane) in out.chunks_exact_mut(height * width).enumerate() {
        for (to, from) in plane.iter_mut().zip(interleaved.chunks_exact(channels)) {
            *to = from[channel];
        }
    }
    Ok(())
}
