//! The framing of TFRecord files: every record between two checksums.

/// Appends `data` to `file` as one record: its length, the length's checksum, `data`, and its checksum.
pub(super) fn push(file: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(checksum(&length));
    file.extend(data);
    file.extend(checksum(data));
}

/// A CRC-32C, masked: a file that holds its own checksums would otherwise have a poor one.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
