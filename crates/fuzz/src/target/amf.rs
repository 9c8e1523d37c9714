//! AMF0 and AMF3 values: read within their limits; what AMF0 reads can be written and read again.

use livetape_flv::{Limits, amf0, amf3};

/// Reads the input as values of both kinds.
pub fn run(data: &[u8]) {
    let mut reader = amf0::Reader::new(data, Limits::default());
    let mut written = Vec::new();
    let mut values = Vec::new();
    while let Ok(Some(value)) = reader.next_value() {
        amf0::write(&value, &mut written);
        values.push(format!("{value:?}"));
    }
    assert!(reader.position() <= data.len());
    let mut again = amf0::Reader::new(&written, Limits { values: 4096, ..Limits::default() });
    for value in values {
        let read = again.next_value().unwrap().unwrap();
        assert_eq!(format!("{read:?}"), value);
    }
    let mut reader = amf3::Reader::new(data, Limits::default());
    while let Ok(Some(_)) = reader.next_value() {}
    assert!(reader.position() <= data.len());
}
