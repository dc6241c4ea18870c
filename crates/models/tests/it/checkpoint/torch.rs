//! The instructions of a pickle, as `torch.save` would write them, and its two containers.

pub fn text(s: &str) -> Vec<u8> {
    [b"X", &(s.len() as u32).to_le_bytes()[..], s.as_bytes()].concat()
}

pub fn int(value: i32) -> Vec<u8> {
    [b"J", &value.to_le_bytes()[..]].concat()
}

pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(", &items.concat()[..], b"t"].concat()
}

pub fn sizes(items: &[i32]) -> Vec<u8> {
    tuple(&items.iter().map(|&i| int(i)).collect::<Vec<_>>())
}

pub fn class(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

pub fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = entries.iter().flat_map(|(k, v)| [text(k), v.clone()].concat()).collect();
    [class("collections", "OrderedDict"), b")R(".to_vec(), items, b"u".to_vec()].concat()
}

/// A tensor: storage (type, key, length), offset, shape, strides.
pub fn tensor(storage: (&str, &str, i32), offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    let (kind, key, length) = storage;
    let id = tuple(&[text("storage"), class("torch", kind), text(key), text("cpu"), int(length)]);
    let storage = [id, b"Q".to_vec()].concat();
    let hooks = [class("collections", "OrderedDict"), b")R".to_vec()].concat();
    let args = [storage, int(offset), sizes(shape), sizes(strides), vec![0x89], hooks];
    [class("torch._utils", "_rebuild_tensor_v2"), tuple(&args), b"R".to_vec()].concat()
}

pub fn pickle(object: &[u8]) -> Vec<u8> {
    [b"\x80\x02", object, b"."].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }
    };
    !bytes.iter().fold(!0, |crc: u32, &b| (0..8).fold(crc ^ u32::from(b), step))
}

/// A zip file of stored records.
pub fn zip(records: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in records {
        let size = (content.len() as u32).to_le_bytes();
        let common = [&[0; 8][..], &crc32(content).to_le_bytes(), &size, &size, &(name.len() as u16).to_le_bytes()];
        let common = common.concat();
        directory.extend([b"PK\x01\x02\0\0\0\0", &common[..], &[0; 12]].concat());
        directory.extend((file.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        // Padding in front of the data, as torch.save aligns it.
        file.extend([b"PK\x03\x04\0\0", &common[..], &[4, 0], name.as_bytes(), &[0; 4]].concat());
        file.extend(*content);
    }
    let (at, size) = (file.len() as u32, directory.len() as u32);
    file.extend(directory);
    file.extend([b"PK\x05\x06", &[0; 8][..], &size.to_le_bytes(), &at.to_le_bytes()].concat());
    file.extend([0, 0]);
    file
}

pub fn archive(object: &[u8], storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let pickle = pickle(object);
    let names: Vec<String> = storages.iter().map(|(key, _)| format!("net/data/{key}")).collect();
    let mut records = vec![("net/data.pkl", &pickle[..]), ("net/byteorder", b"little")];
    records.extend(names.iter().map(String::as_str).zip(storages.iter().map(|(_, s)| &s[..])));
    zip(&records)
}

pub fn legacy(object: &[u8], storages: &[(&str, i64, Vec<u8>)]) -> Vec<u8> {
    let magic = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    let system = dict(&[("little_endian", vec![0x88])]);
    let keys: Vec<u8> = storages.iter().flat_map(|(key, ..)| text(key)).collect();
    let keys = [&b"]("[..], &keys, b"e"].concat();
    let mut file = [pickle(magic), pickle(&int(1001)), pickle(&system), pickle(object), pickle(&keys)].concat();
    for (_, count, data) in storages {
        file.extend(count.to_le_bytes());
        file.extend(data);
    }
    file
}
