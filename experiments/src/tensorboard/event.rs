//! The messages TensorBoard reads, in protocol buffers' wire format.
//!
//! Field numbers are those of TensorFlow's `event.proto` and `summary.proto`.

/// What an event says.
pub(super) enum Said<'a> {
    /// The first event of every file: the version of the format.
    Version,
    /// A number.
    Scalar { tag: &'a str, value: f32 },
    /// A picture, as a PNG file with three channels.
    Image { tag: &'a str, size: (u32, u32), png: &'a [u8] },
}

/// The event that says `said` at `step`, in seconds since 1970.
pub(super) fn encode(wall_time: f64, step: usize, said: &Said<'_>) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time);
    event.int(2, step as u64);
    match said {
        Said::Version => event.bytes(3, b"brain.Event:2"),
        Said::Scalar { tag, value } => event.message(5, |summary| {
            summary.message(1, |entry| {
                entry.bytes(1, tag.as_bytes());
                entry.float(2, *value);
            });
        }),
        Said::Image { tag, size: (width, height), png } => event.message(5, |summary| {
            summary.message(1, |entry| {
                entry.bytes(1, tag.as_bytes());
                entry.message(4, |image| {
                    image.int(1, u64::from(*height));
                    image.int(2, u64::from(*width));
                    image.int(3, 3);
                    image.bytes(4, png);
                });
            });
        }),
    }
    event.0
}

/// A message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn int(&mut self, field: u8, value: u64) {
        self.0.push(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u8, value: f64) {
        self.0.push(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u8, value: f32) {
        self.0.push(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.0.push(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u8, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}
