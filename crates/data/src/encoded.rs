//! One PNG or JPEG image to bytes in (C, H, W) order.
//!
//! A PNG has one right answer. JPEG decoders may differ by a grey level here and there, so that pixels of a set
//! of JPEG images are those of this decoder.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder, ImageError, Limits};

/// How every JPEG file begins, and what stands before its data and behind them. (Within them a zero follows each 0xff.)
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];
const SCAN: [u8; 2] = [0xff, 0xda];
const END: [u8; 2] = [0xff, 0xd9];

/// What a PNG may ask for beside its pixels, bytes: a colour profile of a few kilobytes may claim gigabytes.
const BESIDE: u64 = 1 << 20;

/// Decodes `bytes` into `out`, which holds one image of `shape` = `[channels, height, width]`. A grey JPEG in a
/// set of colour images gets three equal channels.
///
/// # Errors
/// One phrase saying why this is not an image of that size and 8 bits a channel.
pub(crate) fn decode(bytes: &[u8], shape: [usize; 3], out: &mut [u8]) -> Result<(), String> {
    let cursor = Cursor::new(bytes);
    if bytes.starts_with(&JPEG) {
        // The decoder makes the rest of what is cut off grey.
        if !is_whole(bytes) {
            return Err("the JPEG image ends too early".into());
        }
        read("JPEG", JpegDecoder::new(cursor), shape, true, out)
    } else {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(BESIDE);
        read("PNG", PngDecoder::with_limits(cursor, limits), shape, false, out)
    }
}

/// Whether a JPEG's last data have their end.
fn is_whole(bytes: &[u8]) -> bool {
    let scan = bytes.windows(2).rposition(|marker| marker == SCAN);
    scan.is_some_and(|scan| bytes[scan..].windows(2).any(|marker| marker == END))
}

fn read(
    format: &str,
    decoder: Result<impl ImageDecoder, ImageError>,
    [channels, height, width]: [usize; 3],
    may_be_grey: bool,
    out: &mut [u8],
) -> Result<(), String> {
    let decoder = decoder.map_err(|e| format!("not a {format} image ({e})"))?;
    let (w, h) = decoder.dimensions();
    if (w as usize, h as usize) != (width, height) {
        return Err(format!("the image is {w}x{h}, expected {width}x{height}"));
    }
    let expected = if channels == 1 { ColorType::L8 } else { ColorType::Rgb8 };
    let colour = decoder.color_type();
    if colour != expected && !(may_be_grey && colour == ColorType::L8) {
        return Err(format!("the image is {colour:?}, expected {expected:?}"));
    }
    let depth = usize::from(colour.channel_count());
    let mut interleaved = vec![0; height * width * depth];
    decoder.read_image(&mut interleaved).map_err(|e| format!("damaged {format} image ({e})"))?;
    for (channel, plane) in out.chunks_exact_mut(height * width).enumerate() {
        match depth {
            1 => plane.copy_from_slice(&interleaved),
            _ => plane.iter_mut().zip(interleaved.as_chunks::<3>().0).for_each(|(to, from)| *to = from[channel]),
        }
    }
    Ok(())
}
