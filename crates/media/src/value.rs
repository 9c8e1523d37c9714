//! Loosely typed values, as publishers send them in commands and metadata.

/// A value of AMF0 or AMF3, in one model. Order of keys is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, on purpose.
    Null,
    /// Nothing, by omission.
    Undefined,
    /// True or false.
    Boolean(bool),
    /// A double; AMF3 integers become one too.
    Number(f64),
    /// Text; bytes that are not UTF-8 have been replaced.
    String(String),
    /// Milliseconds since the Unix epoch.
    Date(f64),
    /// Named values: an object, a typed object or an ECMA array.
    Object(Vec<(String, Value)>),
    /// Values in order.
    Array(Vec<Value>),
}

impl Value {
    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The named values, if it has any.
    pub fn entries(&self) -> Option<&[(String, Value)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value called `key`, if this is an object that has it.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.entries()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}
