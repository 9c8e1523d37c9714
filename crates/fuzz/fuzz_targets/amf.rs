//! AMF0 and AMF3 values from any bytes; what AMF0 reads, it writes and reads again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use livetape_flv::{Limits, amf0, amf3};

fuzz_target!(|data: &[u8]| {
    let mut values = Vec::new();
    let mut reader = amf0::Reader::new(data, Limits::default());
    while let Ok(Some(value)) = reader.next_value() {
        values.push(value);
    }
    assert!(reader.position() <= data.len());
    for value in &values {
        let mut written = Vec::new();
        amf0::write(value, &mut written);
        let again = amf0::Reader::new(&written, Limits::default()).next_value();
        assert!(again.is_ok(), "what was written is read: {value:?}");
    }
    let mut reader = amf3::Reader::new(data, Limits::default());
    while let Ok(Some(_)) = reader.next_value() {}
});
