//! AMF3, as far as Flash-era publishers use it in commands and metadata (Action Message Format, version 3).
//!
//! ```text
//! 00 undefined   04 integer: u29      08 date: u29 f64       0c byte array: u29 bytes
//! 01 null        05 double: f64       09 array: u29 ...      0d-0f vectors of int, uint, double: u29 fixed:8 ...
//! 02 false       06 string: u29 text  0a object: u29 ...     10 vector of objects: u29 fixed:8 class ...
//! 03 true        07 XML: u29 text     0b XML: u29 text       11 dictionary: u29 weak:8 { key value }*
//! ```
//!
//! A `u29` has one to four bytes, seven bits each (the fourth eight). Where it stands before contents, its lowest
//! bit says whether they follow (1) or the rest is a reference to earlier ones (0); strings, objects and classes
//! are counted apart. The layout of externalizable classes is unknown, but for the two collections that hold one
//! value.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::rc::Rc;

use livetape_media::Value;

use crate::amf::Cursor;

pub use crate::amf::{AmfError, Limits};

/// Reads the values of a message, one after the other. Reference tables last for all of them.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    cursor: Cursor<'a>,
    tables: Tables,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` within `limits`, which hold for all values together.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self { cursor: Cursor::new(bytes, limits), tables: Tables::default() }
    }

    /// The next value, `None` at the end.
    ///
    /// # Errors
    /// When the bytes are no AMF3 or exceed a limit; nothing more can be read then.
    pub fn next_value(&mut self) -> Result<Option<Value>, AmfError> {
        if self.cursor.left() == 0 { Ok(None) } else { self.tables.value(&mut self.cursor).map(Some) }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.cursor.at()
    }
}

/// Reads one value in the midst of AMF0, with reference tables of its own.
pub(crate) fn read_value(cursor: &mut Cursor<'_>) -> Result<Value, AmfError> {
    Tables::default().value(cursor)
}

/// What references refer to: places in the bytes, which are read again.
#[derive(Clone, Debug, Default)]
struct Tables {
    strings: Vec<Range<usize>>,
    objects: Vec<usize>,
    classes: Vec<Rc<Class>>,
    /// Whether what is read now stands behind a reference, so that it is in the tables already.
    repeating: bool,
}

#[derive(Debug)]
struct Class {
    layout: Layout,
    members: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Sealed,
    Dynamic,
    /// Externalizable: one value.
    Collection,
}

/// A length, or a reference.
enum Lead {
    Inline(usize),
    Reference(usize),
}

impl Tables {
    fn value(&mut self, cursor: &mut Cursor<'_>) -> Result<Value, AmfError> {
        let at = cursor.at();
        cursor.count_value()?;
        let marker = cursor.u8("a type marker")?;
        Ok(match marker {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            0x04 => Value::Number(f64::from(signed(u29(cursor)?))),
            0x05 => Value::Number(cursor.f64("a number")?),
            0x06 => Value::String(self.string(cursor, Cursor::string)?),
            0x07..=0x11 => {
                cursor.enter()?;
                let value = self.complex(cursor, marker, at)?;
                cursor.leave();
                value
            }
            marker => return Err(AmfError::Marker { marker, at }),
        })
    }

    fn complex(&mut self, cursor: &mut Cursor<'_>, marker: u8, at: usize) -> Result<Value, AmfError> {
        let lead = match lead(cursor)? {
            Lead::Reference(index) => return self.repeat(cursor, index),
            Lead::Inline(lead) => lead,
        };
        if !self.repeating {
            self.objects.push(at);
        }
        match marker {
            0x07 | 0x0b | 0x0c => cursor.string(lead).map(Value::String),
            0x08 => cursor.f64("a date").map(Value::Date),
            0x09 => self.array(cursor, lead),
            0x0a => self.object(cursor, lead),
            0x11 => self.dictionary(cursor, lead),
            _ => self.vector(cursor, marker, lead),
        }
    }

    fn array(&mut self, cursor: &mut Cursor<'_>, count: usize) -> Result<Value, AmfError> {
        let mut named = self.dynamic_members(cursor)?;
        let mut dense = Vec::new();
        for _ in 0..count {
            dense.push(self.value(cursor)?);
        }
        if named.is_empty() {
            return Ok(Value::Array(dense));
        }
        named.extend(dense.into_iter().enumerate().map(|(index, value)| (index.to_string(), value)));
        Ok(Value::Object(named))
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, lead: usize) -> Result<Value, AmfError> {
        let class = self.class(cursor, lead)?;
        if class.layout == Layout::Collection {
            return self.value(cursor);
        }
        let mut entries = Vec::new();
        for member in &class.members {
            entries.push((member.clone(), self.value(cursor)?));
        }
        if class.layout == Layout::Dynamic {
            entries.extend(self.dynamic_members(cursor)?);
        }
        Ok(Value::Object(entries))
    }

    fn class(&mut self, cursor: &mut Cursor<'_>, lead: usize) -> Result<Rc<Class>, AmfError> {
        if lead & 1 == 0 {
            let index = lead >> 1;
            return self.classes.get(index).cloned().ok_or(AmfError::Reference { index, at: cursor.at() });
        }
        let externalizable = lead & 2 != 0;
        let name = self.string(cursor, Cursor::key)?;
        let mut members = Vec::new();
        let layout = if externalizable {
            if !name.ends_with(".ArrayCollection") && !name.ends_with(".ObjectProxy") {
                return Err(AmfError::Externalizable { at: cursor.at() });
            }
            Layout::Collection
        } else {
            for _ in 0..lead >> 3 {
                // Each will be a value: counting it here bounds a class that no object follows.
                cursor.count_value()?;
                members.push(self.string(cursor, Cursor::key)?);
            }
            if lead & 4 != 0 { Layout::Dynamic } else { Layout::Sealed }
        };
        let class = Rc::new(Class { layout, members });
        if !self.repeating {
            self.classes.push(Rc::clone(&class));
        }
        Ok(class)
    }

    fn dynamic_members(&mut self, cursor: &mut Cursor<'_>) -> Result<Vec<(String, Value)>, AmfError> {
        let mut entries = Vec::new();
        loop {
            let name = self.string(cursor, Cursor::key)?;
            if name.is_empty() {
                return Ok(entries);
            }
            entries.push((name, self.value(cursor)?));
        }
    }

    fn vector(&mut self, cursor: &mut Cursor<'_>, marker: u8, count: usize) -> Result<Value, AmfError> {
        cursor.u8("whether a vector is fixed")?;
        if marker == 0x10 {
            self.string(cursor, Cursor::key)?;
        }
        let mut values = Vec::new();
        for _ in 0..count {
            if marker == 0x10 {
                values.push(self.value(cursor)?);
                continue;
            }
            cursor.count_value()?;
            values.push(Value::Number(match marker {
                0x0d => f64::from(cursor.u32("an integer")?.cast_signed()),
                0x0e => f64::from(cursor.u32("an integer")?),
                _ => cursor.f64("a number")?,
            }));
        }
        Ok(Value::Array(values))
    }

    /// Entries whose keys are objects have no place in a [`Value`] and are left out.
    fn dictionary(&mut self, cursor: &mut Cursor<'_>, count: usize) -> Result<Value, AmfError> {
        cursor.u8("whether a dictionary is weak")?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let key = self.value(cursor)?;
            let value = self.value(cursor)?;
            match key {
                Value::String(name) => entries.push((name, value)),
                Value::Number(number) => entries.push((number.to_string(), value)),
                Value::Boolean(truth) => entries.push((truth.to_string(), value)),
                _ => {}
            }
        }
        Ok(Value::Object(entries))
    }

    fn string<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        text: fn(&mut Cursor<'a>, usize) -> Result<String, AmfError>,
    ) -> Result<String, AmfError> {
        match lead(cursor)? {
            Lead::Inline(len) => {
                let start = cursor.at();
                let string = text(cursor, len)?;
                if len > 0 && !self.repeating {
                    self.strings.push(start..cursor.at());
                }
                Ok(string)
            }
            Lead::Reference(index) => {
                let back = cursor.at();
                let place = self.strings.get(index).cloned().ok_or(AmfError::Reference { index, at: back })?;
                cursor.seek(place.start);
                let string = text(cursor, place.len())?;
                cursor.seek(back);
                Ok(string)
            }
        }
    }

    /// The object that began as number `index`, read again where it stands: values and depth are counted
    /// again, which bounds references to references and an object that refers to itself.
    fn repeat(&mut self, cursor: &mut Cursor<'_>, index: usize) -> Result<Value, AmfError> {
        let back = cursor.at();
        let start = *self.objects.get(index).ok_or(AmfError::Reference { index, at: back })?;
        let outer = std::mem::replace(&mut self.repeating, true);
        cursor.seek(start);
        let value = self.value(cursor)?;
        cursor.seek(back);
        self.repeating = outer;
        Ok(value)
    }
}

/// A number of 29 bits.
fn u29(cursor: &mut Cursor<'_>) -> Result<u32, AmfError> {
    let mut value = 0;
    for _ in 0..3 {
        let byte = cursor.u8("an integer")?;
        value = value << 7 | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Ok(value << 8 | u32::from(cursor.u8("an integer")?))
}

/// The 29 bits in two's complement.
fn signed(value: u32) -> i32 {
    (value << 3).cast_signed() >> 3
}

fn lead(cursor: &mut Cursor<'_>) -> Result<Lead, AmfError> {
    let lead = u29(cursor)?;
    let rest = (lead >> 1) as usize;
    Ok(if lead & 1 == 1 { Lead::Inline(rest) } else { Lead::Reference(rest) })
}
