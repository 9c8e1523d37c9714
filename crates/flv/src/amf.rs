//! What readers of AMF0 and AMF3 share: bounds, errors, checked reading.

/// Bounds of what one message may hold. They are spent over all its values together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep objects and arrays may be nested.
    pub depth: u32,
    /// How many values there may be, those within objects and arrays and those behind references included.
    pub values: u32,
    /// Bytes of one string.
    pub string_bytes: usize,
    /// Bytes of one property name.
    pub key_bytes: usize,
    /// Bytes of all strings and names together; references make a short message into a long text.
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 16, values: 1024, string_bytes: 64 << 10, key_bytes: 1 << 10, text_bytes: 512 << 10 }
    }
}

/// Why bytes are not readable as AMF. `at` counts bytes from the start of what the reader was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// The bytes end too early.
    #[error("the AMF data ends at byte {at}, in the middle of {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it would begin.
        at: usize,
    },
    /// A type marker that does not exist or is reserved.
    #[error("AMF type marker 0x{marker:02x} at byte {at} cannot be read")]
    Marker {
        /// The marker.
        marker: u8,
        /// Where it is.
        at: usize,
    },
    /// A reference to a value, string or class that has not come.
    #[error("the AMF reference {index} before byte {at} refers to nothing")]
    Reference {
        /// The reference.
        index: usize,
        /// Where reading stood.
        at: usize,
    },
    /// An AMF3 object of a class that writes itself in a way of its own.
    #[error("the AMF3 object before byte {at} is of an externalizable class, whose layout is unknown")]
    Externalizable {
        /// Where reading stood.
        at: usize,
    },
    /// A limit is exceeded.
    #[error("the AMF data exceeds the limit of {limit} {what} at byte {at}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Where it was exceeded.
        at: usize,
    },
}

/// A place in the bytes, and what may still be spent.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    depth: u32,
    values: u32,
    text: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self { bytes, at: 0, limits, depth: 0, values: 0, text: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes to a place that has been read before.
    pub(crate) fn seek(&mut self, at: usize) {
        self.at = at.min(self.bytes.len());
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], AmfError> {
        let truncated = AmfError::Truncated { what, at: self.at };
        let end = self.at.checked_add(len).ok_or_else(|| truncated.clone())?;
        let taken = self.bytes.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], AmfError> {
        let at = self.at;
        self.take(N, what)?.first_chunk::<N>().copied().ok_or(AmfError::Truncated { what, at })
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, AmfError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, AmfError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, AmfError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn f64(&mut self, what: &'static str) -> Result<f64, AmfError> {
        Ok(f64::from_be_bytes(self.array(what)?))
    }

    /// The string in the next `len` bytes.
    pub(crate) fn string(&mut self, len: usize) -> Result<String, AmfError> {
        self.text(len, self.limits.string_bytes, "bytes in a string")
    }

    /// The property name in the next `len` bytes.
    pub(crate) fn key(&mut self, len: usize) -> Result<String, AmfError> {
        self.text(len, self.limits.key_bytes, "bytes in a property name")
    }

    fn text(&mut self, len: usize, limit: usize, what: &'static str) -> Result<String, AmfError> {
        if len > limit {
            return Err(AmfError::Limit { what, limit, at: self.at });
        }
        self.text += len;
        if self.text > self.limits.text_bytes {
            return Err(AmfError::Limit { what: "bytes of text", limit: self.limits.text_bytes, at: self.at });
        }
        Ok(String::from_utf8_lossy(self.take(len, "a string")?).into_owned())
    }

    /// Begins a value, in any depth.
    pub(crate) fn count_value(&mut self) -> Result<(), AmfError> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(AmfError::Limit { what: "values", limit: self.limits.values as usize, at: self.at });
        }
        Ok(())
    }

    /// Goes one level deeper; [`Cursor::leave`] undoes it.
    pub(crate) fn enter(&mut self) -> Result<(), AmfError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(AmfError::Limit { what: "levels of nesting", limit: self.limits.depth as usize, at: self.at });
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }
}
