//! AMF0: the values of RTMP commands and of `onMetaData` (Action Message Format, version 0).
//!
//! ```text
//! 00 number: f64              06 undefined               0c long string: len:32 text
//! 01 boolean: u8              07 reference: index:16     0d unsupported
//! 02 string: len:16 text      08 ECMA array: count:32, then as object
//! 03 object: { len:16 name value }* 0000 09              0f XML: as long string
//! 05 null                     0a strict array: count:32 value*   10 typed object: len:16 class, then as object
//!                             0b date: f64 ms, zone:16   11 one AMF3 value
//! ```
//!
//! Reading is bounded by [`Limits`] and tolerant where publishers are known to be sloppy: the count of an ECMA
//! array is not believed, and a list of properties may end with the message instead of its end marker.

mod write;

#[cfg(test)]
mod tests;

use livetape_media::Value;

use crate::amf::Cursor;
use crate::amf3;

pub use crate::amf::{AmfError, Limits};
pub use write::{write, write_ecma_array, write_key, write_number, write_object, write_string};

const OBJECT_END: u8 = 0x09;

/// Reads the values of a message, one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    cursor: Cursor<'a>,
    /// Where each object or array that a reference may name begins.
    referable: Vec<usize>,
    /// Whether what is read now stands behind a reference, so that it has been counted before.
    repeating: bool,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` within `limits`, which hold for all values together.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self { cursor: Cursor::new(bytes, limits), referable: Vec::new(), repeating: false }
    }

    /// The next value, `None` at the end.
    ///
    /// # Errors
    /// When the bytes are no AMF0 or exceed a limit; nothing more can be read then.
    pub fn next_value(&mut self) -> Result<Option<Value>, AmfError> {
        if self.cursor.left() == 0 { Ok(None) } else { self.value().map(Some) }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.cursor.at()
    }

    fn value(&mut self) -> Result<Value, AmfError> {
        let at = self.cursor.at();
        self.cursor.count_value()?;
        let marker = self.cursor.u8("a type marker")?;
        Ok(match marker {
            0x00 => Value::Number(self.cursor.f64("a number")?),
            0x01 => Value::Boolean(self.cursor.u8("a boolean")? != 0),
            0x02 => {
                let len = self.cursor.u16("the length of a string")?;
                Value::String(self.cursor.string(usize::from(len))?)
            }
            0x0c | 0x0f => {
                let len = self.cursor.u32("the length of a string")?;
                Value::String(self.cursor.string(len as usize)?)
            }
            0x05 => Value::Null,
            0x06 | 0x0d => Value::Undefined,
            0x0b => {
                let date = self.cursor.f64("a date")?;
                self.cursor.u16("a time zone")?;
                Value::Date(date)
            }
            0x03 | 0x08 | 0x0a | 0x10 => {
                if !self.repeating {
                    self.referable.push(at);
                }
                self.nested(|reader| reader.complex(marker))?
            }
            0x07 => {
                let index = usize::from(self.cursor.u16("a reference")?);
                self.nested(|reader| reader.repeat(index))?
            }
            0x11 => amf3::read_value(&mut self.cursor)?,
            marker => return Err(AmfError::Marker { marker, at }),
        })
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, AmfError>) -> Result<T, AmfError> {
        self.cursor.enter()?;
        let value = read(self)?;
        self.cursor.leave();
        Ok(value)
    }

    fn complex(&mut self, marker: u8) -> Result<Value, AmfError> {
        match marker {
            0x0a => {
                let count = self.cursor.u32("the count of an array")? as usize;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value()?);
                }
                return Ok(Value::Array(values));
            }
            0x08 => {
                self.cursor.u32("the count of an ECMA array")?;
            }
            0x10 => {
                let len = self.cursor.u16("the length of a class name")?;
                self.cursor.key(usize::from(len))?;
            }
            _ => {}
        }
        self.properties().map(Value::Object)
    }

    fn properties(&mut self) -> Result<Vec<(String, Value)>, AmfError> {
        let mut entries = Vec::new();
        while self.cursor.left() > 0 {
            let len = usize::from(self.cursor.u16("the length of a property name")?);
            if len == 0 && self.at_object_end() {
                break;
            }
            let name = self.cursor.key(len)?;
            entries.push((name, self.value()?));
        }
        Ok(entries)
    }

    /// Steps over the end marker if it comes next.
    fn at_object_end(&mut self) -> bool {
        let before = self.cursor.at();
        if self.cursor.u8("a type marker") == Ok(OBJECT_END) {
            return true;
        }
        self.cursor.seek(before);
        false
    }

    /// The object or array that began as number `index`, read again where it stands: values and depth are
    /// counted again, which bounds references to references and an object that refers to itself.
    fn repeat(&mut self, index: usize) -> Result<Value, AmfError> {
        let back = self.cursor.at();
        let start = *self.referable.get(index).ok_or(AmfError::Reference { index, at: back })?;
        let outer = std::mem::replace(&mut self.repeating, true);
        self.cursor.seek(start);
        let value = self.value()?;
        self.cursor.seek(back);
        self.repeating = outer;
        Ok(value)
    }
}
