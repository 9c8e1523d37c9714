//! Messages as chunks, well-formed or with fields nobody would write.

/// What a publisher says before its first chunk: C0, C1, and a C2 nobody checks.
pub fn greeting() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(1 + 2 * 1536, 0);
    bytes
}

/// A message to be written.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Chunk stream: 2 to 65,599.
    pub csid: u32,
    /// How much of its header is written: 0 all, 3 nothing.
    pub format: u8,
    /// Its type.
    pub kind: u8,
    /// Timestamp, or step from the message before.
    pub timestamp: u32,
    /// Message stream.
    pub stream: u32,
    /// The length that is declared, when it is not that of the body.
    pub declared: Option<u32>,
    /// Its body.
    pub body: &'a [u8],
}

impl Message<'_> {
    /// Appends it in chunks of `chunk_size` bytes.
    pub fn write(&self, chunk_size: usize, out: &mut Vec<u8>) {
        let extended = (self.timestamp >= 0xff_ffff).then(|| self.timestamp.to_be_bytes());
        self.basic(self.format, out);
        let [_, time @ ..] = self.timestamp.min(0xff_ffff).to_be_bytes();
        let [_, length @ ..] = self.declared.unwrap_or(self.body.len() as u32).to_be_bytes();
        if self.format <= 2 {
            out.extend(time);
        }
        if self.format <= 1 {
            out.extend(length);
            out.push(self.kind);
        }
        if self.format == 0 {
            out.extend(self.stream.to_le_bytes());
        }
        out.extend(extended.into_iter().flatten());
        for (number, piece) in self.body.chunks(chunk_size.max(1)).enumerate() {
            if number > 0 {
                self.basic(3, out);
                out.extend(extended.into_iter().flatten());
            }
            out.extend_from_slice(piece);
        }
    }

    fn basic(&self, format: u8, out: &mut Vec<u8>) {
        let high = format << 6;
        match self.csid {
            0..=63 => out.push(high | self.csid as u8),
            64..=319 => out.extend([high, (self.csid - 64) as u8]),
            _ => out.extend([high | 1, (self.csid - 64) as u8, ((self.csid - 64) >> 8) as u8]),
        }
    }
}
