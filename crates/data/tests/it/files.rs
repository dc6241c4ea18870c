//! Small files in the formats the crate reads.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use image::{ExtendedColorType, ImageEncoder};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// The schema of the Hub's CIFAR-10.
pub const CIFAR10: &str = "message schema {
    optional group img { optional binary bytes; optional binary path (UTF8); }
    optional int64 label;
}";

/// A row: the image cell's bytes (none for null) and the label.
pub type Row = (Option<Vec<u8>>, i64);

/// A PNG image of one colour; `channels` is 1, 3 or 4.
pub fn png(width: u32, height: u32, colour: &[u8]) -> Vec<u8> {
    let kind = match colour.len() {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgba8,
    };
    let pixels = colour.repeat((width * height) as usize);
    let mut out = Vec::new();
    image::codecs::png::PngEncoder::new(&mut out).write_image(&pixels, width, height, kind).unwrap();
    out
}

/// A 32x32 PNG of one colour, with a label.
pub fn plain(value: u8, label: i64) -> Row {
    (Some(png(32, 32, &[value; 3])), label)
}

/// Writes `rows` in groups of `group`, in a schema with columns bytes, path, label or bytes, label.
pub fn parquet(path: &Path, schema: &str, rows: &[Row], group: usize) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    for rows in rows.chunks(group) {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let optional = column.typed::<ByteArrayType>().get_descriptor().max_def_level();
        let values: Vec<ByteArray> = rows.iter().filter_map(|(png, _)| png.clone().map(Into::into)).collect();
        let levels: Vec<i16> = rows.iter().map(|(png, _)| optional - i16::from(png.is_none())).collect();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            if let parquet::column::writer::ColumnWriter::Int64ColumnWriter(_) = column.untyped() {
                let labels: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
                column.typed::<Int64Type>().write_batch(&labels, Some(&vec![1; rows.len()]), None).unwrap();
            } else {
                column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![0; rows.len()]), None).unwrap();
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

/// A CIFAR-10 binary record whose pixels count up from `start`.
pub fn record(label: u8, start: u8) -> Vec<u8> {
    let pixels = (0..3072).map(|i| (i % 251) as u8 ^ start);
    std::iter::once(label).chain(pixels).collect()
}

/// An idx file: magic, dimensions, bytes.
pub fn idx(path: &Path, magic: [u8; 4], dimensions: &[u32], bytes: &[u8]) {
    let mut content = magic.to_vec();
    dimensions.iter().for_each(|d| content.extend(d.to_be_bytes()));
    content.extend(bytes);
    if path.extension().is_some_and(|e| e == "gz") {
        let mut writer = flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
        writer.write_all(&content).unwrap();
        writer.finish().unwrap();
    } else {
        std::fs::write(path, content).unwrap();
    }
}
