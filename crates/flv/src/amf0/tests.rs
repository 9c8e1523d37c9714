use proptest::prelude::*;

use super::*;

fn read_all(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut reader = Reader::new(bytes, Limits::default());
    let mut values = Vec::new();
    while let Some(value) = reader.next_value()? {
        values.push(value);
    }
    assert_eq!(reader.position(), bytes.len());
    Ok(values)
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Object(entries.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

#[test]
fn every_marker_is_read() {
    let cases: [(&[u8], Value); 16] = [
        (b"\x00\x40\x09\x21\xfb\x54\x44\x2d\x18", Value::Number(std::f64::consts::PI)),
        (b"\x01\x00", Value::Boolean(false)),
        (b"\x01\x02", Value::Boolean(true)),
        (b"\x02\x00\x03abc", text("abc")),
        (b"\x02\x00\x02a\xff", text("a\u{fffd}")),
        (b"\x03\x00\x01a\x05\x00\x00\x09", object([("a", Value::Null)])),
        (b"\x03\x00\x00\x05\x00\x00\x09", object([("", Value::Null)])),
        (b"\x05", Value::Null),
        (b"\x06", Value::Undefined),
        (b"\x08\x00\x00\x00\x07\x00\x01a\x01\x01\x00\x00\x09", object([("a", Value::Boolean(true))])),
        (b"\x0a\x00\x00\x00\x02\x05\x06", Value::Array(vec![Value::Null, Value::Undefined])),
        (b"\x0b\x42\x77\x3e\x0c\xa7\xb0\x00\x00\xff\xc4", Value::Date(1_597_204_232_960.0)),
        (b"\x0c\x00\x00\x00\x01z", text("z")),
        (b"\x0d", Value::Undefined),
        (b"\x0f\x00\x00\x00\x04<a/>", text("<a/>")),
        (b"\x10\x00\x03app\x00\x01a\x05\x00\x00\x09", object([("a", Value::Null)])),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read_all(bytes).unwrap(), [expected], "{bytes:02x?}");
    }
}

#[test]
fn a_switch_to_amf3_lasts_one_value() {
    // The object {a: 5} in AMF3, then an AMF0 null.
    assert_eq!(
        read_all(b"\x11\x0a\x0b\x01\x03a\x04\x05\x01\x05").unwrap(),
        [object([("a", Value::Number(5.0))]), Value::Null]
    );
}

#[test]
fn a_property_list_may_end_with_the_message() {
    assert_eq!(read_all(b"\x08\x00\x00\x00\x01\x00\x01a\x05").unwrap(), [object([("a", Value::Null)])]);
    assert!(read_all(b"\x08\x00\x00\x00\x01\x00\x01").is_err());
}

#[test]
fn references_repeat_what_they_name() {
    // [ {a: null}, reference to that object ]
    let bytes = b"\x0a\x00\x00\x00\x02\x03\x00\x01a\x05\x00\x00\x09\x07\x00\x01";
    let entry = object([("a", Value::Null)]);
    assert_eq!(read_all(bytes).unwrap(), [Value::Array(vec![entry.clone(), entry])]);
    assert_eq!(read_all(b"\x07\x00\x00"), Err(AmfError::Reference { index: 0, at: 3 }));
}

#[test]
fn an_object_that_holds_itself_is_refused() {
    assert!(matches!(read_all(b"\x03\x00\x01a\x07\x00\x00\x00\x00\x09"), Err(AmfError::Limit { limit: 16, .. })));
}

#[test]
fn references_cannot_blow_up_a_short_message() {
    // Each array holds twenty references to the one before it; the first holds a long text.
    let mut bytes = b"\x0a\x00\x00\x00\x01\x02\x80\x00".to_vec();
    bytes.extend([b'x'; 0x8000]);
    for level in 0..10u16 {
        bytes.extend(b"\x0a\x00\x00\x00\x14");
        for _ in 0..20 {
            bytes.push(7);
            bytes.extend(level.to_be_bytes());
        }
    }
    assert!(matches!(read_all(&bytes), Err(AmfError::Limit { what: "bytes of text", .. })));
}

#[test]
fn deep_nesting_is_refused_without_deep_recursion() {
    let objects = b"\x03\x00\x01a".repeat(10_000);
    assert!(matches!(read_all(&objects), Err(AmfError::Limit { what: "levels of nesting", limit: 16, .. })));
    let arrays = b"\x0a\x00\x00\x00\x01".repeat(10_000);
    assert!(matches!(read_all(&arrays), Err(AmfError::Limit { what: "levels of nesting", .. })));
    let mut sixteen = b"\x0a\x00\x00\x00\x01".repeat(16);
    sixteen.push(5);
    assert!(read_all(&sixteen).is_ok());
}

#[test]
fn each_limit_is_an_error_that_names_itself() {
    let limit = |bytes: &[u8]| match read_all(bytes) {
        Err(AmfError::Limit { what, limit, .. }) => (what, limit),
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(&[5; 1025]), ("values", 1024));
    assert!(read_all(&[5; 1024]).is_ok());
    assert_eq!(
        limit(b"\x0a\xff\xff\xff\xff".iter().chain(&[5; 2000]).copied().collect::<Vec<_>>().as_slice()).0,
        "values"
    );
    assert_eq!(limit(b"\x0c\x00\x01\x00\x01"), ("bytes in a string", 65_536));
    assert_eq!(limit(b"\x03\x04\x01"), ("bytes in a property name", 1024));
}

#[test]
fn a_message_cut_anywhere_within_its_values_is_an_error() {
    let mut bytes = Vec::new();
    write(&object([("number", Value::Number(1.0)), ("text", text("abc"))]), &mut bytes);
    let boundaries: Vec<_> = (0..bytes.len()).filter(|len| read_all(&bytes[..*len]).is_ok()).collect();
    // Empty; behind the object's marker; behind each of its two properties.
    assert_eq!(boundaries, [0, 1, 18, 30]);
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    assert_eq!(read_all(b"\x05\x04"), Err(AmfError::Marker { marker: 4, at: 1 }));
    assert_eq!(
        read_all(b"\x00\x00").unwrap_err().to_string(),
        "the AMF data ends at byte 1, in the middle of a number"
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(Value::Undefined),
        any::<bool>().prop_map(Value::Boolean),
        (-1e12..1e12).prop_map(Value::Number),
        (-1e12..1e12).prop_map(Value::Date),
        ".{0,20}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec(("[a-z]{1,8}", inner), 0..6).prop_map(Value::Object),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(values in proptest::collection::vec(any_value(), 0..4)) {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| write(value, &mut bytes));
        prop_assert_eq!(read_all(&bytes).unwrap(), values);
    }

    #[test]
    fn an_ecma_array_is_read_as_an_object(entries in proptest::collection::vec(("[a-z]{1,8}", any_value()), 0..4)) {
        let mut bytes = Vec::new();
        write_ecma_array(&entries, &mut bytes);
        prop_assert_eq!(read_all(&bytes).unwrap(), [Value::Object(entries)]);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(0u8..0x14, 0..300)) {
        let mut reader = Reader::new(&bytes, Limits::default());
        while let Ok(Some(_)) = reader.next_value() {}
    }
}
