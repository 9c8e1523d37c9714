//! AMF0 values, as far as commands need them.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Amf {
    /// 00
    Number(f64),
    /// 01
    Boolean(bool),
    /// 02
    String(String),
    /// 03
    Object(Vec<(String, Amf)>),
    /// 05
    Null,
    /// 06
    Undefined,
    /// 08
    Map(Vec<(String, Amf)>),
    /// 0A
    Array(Vec<Amf>),
    /// 0B: milliseconds since 1970
    Date(f64),
}

impl Amf {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A field of an object.
    pub fn field(&self, key: &str) -> Option<&Amf> {
        match self {
            Self::Object(fields) | Self::Map(fields) => {
                fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

/// A string.
pub fn string(text: &str) -> Amf {
    Amf::String(text.to_owned())
}

/// An object.
pub fn object(fields: &[(&str, Amf)]) -> Amf {
    Amf::Object(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

/// The values, one after the other.
pub fn encode(values: &[Amf]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        write(value, &mut bytes);
    }
    bytes
}

fn write(value: &Amf, bytes: &mut Vec<u8>) {
    match value {
        Amf::Number(number) => {
            bytes.push(0);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        Amf::Boolean(truth) => bytes.extend_from_slice(&[1, u8::from(*truth)]),
        Amf::String(text) if text.len() > 0xffff => {
            bytes.push(12);
            bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Amf::String(text) => {
            bytes.push(2);
            write_name(text, bytes);
        }
        Amf::Object(fields) => {
            bytes.push(3);
            write_fields(fields, bytes);
        }
        Amf::Null => bytes.push(5),
        Amf::Undefined => bytes.push(6),
        Amf::Map(fields) => {
            bytes.push(8);
            bytes.extend_from_slice(&(fields.len() as u32).to_be_bytes());
            write_fields(fields, bytes);
        }
        Amf::Array(values) => {
            bytes.push(10);
            bytes.extend_from_slice(&(values.len() as u32).to_be_bytes());
            values.iter().for_each(|value| write(value, bytes));
        }
        Amf::Date(milliseconds) => {
            bytes.push(11);
            bytes.extend_from_slice(&milliseconds.to_be_bytes());
            bytes.extend_from_slice(&[0, 0]);
        }
    }
}

fn write_name(name: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(name.len() as u16).to_be_bytes());
    bytes.extend_from_slice(name.as_bytes());
}

fn write_fields(fields: &[(String, Amf)], bytes: &mut Vec<u8>) {
    for (key, value) in fields {
        write_name(key, bytes);
        write(value, bytes);
    }
    bytes.extend_from_slice(&[0, 0, 9]);
}

/// Every value; panics at what is none.
pub fn decode(mut bytes: &[u8]) -> Vec<Amf> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(read(&mut bytes));
    }
    values
}

fn read(bytes: &mut &[u8]) -> Amf {
    match take::<1>(bytes)[0] {
        0 => Amf::Number(f64::from_be_bytes(take(bytes))),
        1 => Amf::Boolean(take::<1>(bytes)[0] != 0),
        2 => Amf::String(read_name(bytes)),
        3 => Amf::Object(read_fields(bytes)),
        5 => Amf::Null,
        6 => Amf::Undefined,
        8 => {
            take::<4>(bytes);
            Amf::Map(read_fields(bytes))
        }
        10 => {
            let count = u32::from_be_bytes(take(bytes));
            Amf::Array((0..count).map(|_| read(bytes)).collect())
        }
        11 => {
            let date = f64::from_be_bytes(take(bytes));
            take::<2>(bytes);
            Amf::Date(date)
        }
        marker => panic!("AMF0 marker {marker}"),
    }
}

fn read_name(bytes: &mut &[u8]) -> String {
    let length = usize::from(u16::from_be_bytes(take(bytes)));
    let (name, rest) = bytes.split_at(length);
    *bytes = rest;
    String::from_utf8_lossy(name).into_owned()
}

fn read_fields(bytes: &mut &[u8]) -> Vec<(String, Amf)> {
    let mut fields = Vec::new();
    loop {
        let key = read_name(bytes);
        if key.is_empty() && bytes.first() == Some(&9) {
            take::<1>(bytes);
            return fields;
        }
        fields.push((key, read(bytes)));
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (head, rest) = bytes.split_first_chunk().expect("AMF0 that goes on");
    *bytes = rest;
    *head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let fields = [("a", Amf::Number(1.5)), ("b", Amf::Array(vec![Amf::Null, Amf::Boolean(true)]))];
        let map = Amf::Map(vec![("d".to_owned(), Amf::Date(1.0)), ("u".to_owned(), Amf::Undefined)]);
        let values = [string("connect"), object(&fields), map];
        assert_eq!(decode(&encode(&values)), values);
    }
}
