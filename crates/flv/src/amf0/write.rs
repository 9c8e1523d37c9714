//! Writing AMF0.

use livetape_media::Value;

/// Writes a value with its type marker. Objects are written as anonymous objects.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0x05),
        Value::Undefined => out.push(0x06),
        Value::Boolean(truth) => out.extend([0x01, u8::from(*truth)]),
        Value::Number(number) => write_number(*number, out),
        Value::String(text) => write_string(text, out),
        Value::Date(millis) => {
            out.push(0x0b);
            out.extend(millis.to_be_bytes());
            out.extend([0, 0]);
        }
        Value::Object(entries) => write_object(entries, out),
        Value::Array(values) => {
            out.push(0x0a);
            out.extend(count(values.len()).to_be_bytes());
            values.iter().for_each(|value| write(value, out));
        }
    }
}

/// Writes a number with its type marker.
pub fn write_number(number: f64, out: &mut Vec<u8>) {
    out.push(0x00);
    out.extend(number.to_be_bytes());
}

/// Writes text with its type marker: as a long string when it has more than 65,535 bytes.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    if let Ok(len) = u16::try_from(text.len()) {
        out.push(0x02);
        out.extend(len.to_be_bytes());
    } else {
        out.push(0x0c);
        out.extend(count(text.len()).to_be_bytes());
    }
    out.extend(text.as_bytes());
}

/// Writes an anonymous object with its type marker.
pub fn write_object(entries: &[(String, Value)], out: &mut Vec<u8>) {
    out.push(0x03);
    write_properties(entries, out);
}

/// Writes an ECMA array with its type marker, as `onMetaData` has it.
pub fn write_ecma_array(entries: &[(String, Value)], out: &mut Vec<u8>) {
    out.push(0x08);
    out.extend(count(entries.len()).to_be_bytes());
    write_properties(entries, out);
}

fn write_properties(entries: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in entries {
        write_key(name, out);
        write(value, out);
    }
    out.extend([0, 0, super::OBJECT_END]);
}

/// Writes a property name, which has no type marker. One of more than 65,535 bytes, which no reader of ours
/// lets in, is cut.
pub fn write_key(name: &str, out: &mut Vec<u8>) {
    let end = name.floor_char_boundary(usize::from(u16::MAX));
    out.extend((end as u16).to_be_bytes());
    out.extend(name.bytes().take(end));
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
