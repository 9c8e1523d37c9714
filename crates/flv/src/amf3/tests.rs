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
    let number = Value::Number;
    let cases: [(&[u8], Value); 22] = [
        (b"\x00", Value::Undefined),
        (b"\x01", Value::Null),
        (b"\x02", Value::Boolean(false)),
        (b"\x03", Value::Boolean(true)),
        (b"\x04\x7f", number(127.0)),
        (b"\x04\x81\x00", number(128.0)),
        (b"\x04\xff\xff\xff\xff", number(-1.0)),
        (b"\x04\xbf\xff\xff\xff", number(268_435_455.0)),
        (b"\x04\xc0\x80\x80\x00", number(-268_435_456.0)),
        (b"\x05\x3f\xf8\x00\x00\x00\x00\x00\x00", number(1.5)),
        (b"\x06\x07abc", text("abc")),
        (b"\x06\x01", text("")),
        (b"\x07\x09<a/>", text("<a/>")),
        (b"\x08\x01\x42\x77\x3e\x0c\xa7\xb0\x00\x00", Value::Date(1_597_204_232_960.0)),
        (b"\x09\x05\x01\x01\x03", Value::Array(vec![Value::Null, Value::Boolean(true)])),
        (b"\x09\x03\x03a\x01\x01\x03", object([("a", Value::Null), ("0", Value::Boolean(true))])),
        // Sealed class "C" with one member; then the same with a dynamic member.
        (b"\x0a\x13\x03C\x03a\x01", object([("a", Value::Null)])),
        (b"\x0a\x1b\x03C\x03a\x01\x03b\x03\x01", object([("a", Value::Null), ("b", Value::Boolean(true))])),
        (b"\x0c\x05ab", text("ab")),
        (b"\x0d\x03\x00\xff\xff\xff\xff", Value::Array(vec![number(-1.0)])),
        (b"\x0e\x03\x01\xff\xff\xff\xff", Value::Array(vec![number(4_294_967_295.0)])),
        (b"\x11\x03\x00\x06\x03k\x03", object([("k", Value::Boolean(true))])),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read_all(bytes).unwrap(), [expected], "{bytes:02x?}");
    }
}

#[test]
fn strings_objects_and_classes_are_referred_to_by_number() {
    // "ab", reference to it.
    assert_eq!(read_all(b"\x06\x05ab\x06\x00").unwrap(), [text("ab"), text("ab")]);
    // Two objects of class C {a}: the second names the class by reference and the string "a" by reference.
    assert_eq!(
        read_all(b"\x0a\x13\x03C\x03a\x01\x0a\x01\x06\x02").unwrap(),
        [object([("a", Value::Null)]), object([("a", text("a"))])]
    );
    // An object that holds strings, referred to as a whole; strings are not counted twice.
    assert_eq!(
        read_all(b"\x0a\x0b\x01\x03k\x06\x03v\x01\x0a\x00\x06\x02").unwrap(),
        [object([("k", text("v"))]), object([("k", text("v"))]), text("v")]
    );
    for bytes in [b"\x06\x00".as_slice(), b"\x0a\x00", b"\x0a\x01"] {
        assert!(matches!(read_all(bytes), Err(AmfError::Reference { index: 0, .. })), "{bytes:02x?}");
    }
}

#[test]
fn collections_are_what_they_hold_and_other_externalizable_classes_are_refused() {
    let mut bytes = b"\x0a\x07\x43flex.messaging.io.ArrayCollection".to_vec();
    bytes.extend(b"\x09\x03\x01\x03");
    assert_eq!(read_all(&bytes).unwrap(), [Value::Array(vec![Value::Boolean(true)])]);
    assert!(matches!(read_all(b"\x0a\x07\x03X\x01"), Err(AmfError::Externalizable { .. })));
}

#[test]
fn an_object_that_holds_itself_is_refused() {
    assert!(matches!(read_all(b"\x0a\x0b\x01\x03a\x0a\x00\x01"), Err(AmfError::Limit { limit: 16, .. })));
}

#[test]
fn deep_nesting_and_huge_counts_are_refused() {
    assert!(matches!(read_all(&b"\x09\x03\x01".repeat(10_000)), Err(AmfError::Limit { limit: 16, .. })));
    let mut many = b"\x0d\xbf\xff\xff\xff\x00".to_vec();
    many.extend([0; 8192]);
    assert!(matches!(read_all(&many), Err(AmfError::Limit { what: "values", .. })));
    let mut members = b"\x0a\xbf\xff\xff\xf3\x01".to_vec();
    members.extend([1; 8192]);
    assert!(matches!(read_all(&members), Err(AmfError::Limit { what: "values", .. })));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(0u8..0x14, 0..300)) {
        let mut reader = Reader::new(&bytes, Limits::default());
        while let Ok(Some(_)) = reader.next_value() {}
    }

    #[test]
    fn no_random_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = Reader::new(&bytes, Limits::default());
        while let Ok(Some(_)) = reader.next_value() {}
    }
}
