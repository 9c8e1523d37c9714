//! NAL units behind start codes (ISO/IEC 14496-10, annex B), which some publishers send where length prefixes
//! belong.

use bytes::Bytes;

/// Whether `data` begins with a start code. A length prefix may look the same.
pub(crate) fn begins(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1])
}

/// Whether `data` is length-prefixed units from its first byte to its last.
pub(crate) fn is_length_prefixed(mut data: &[u8], length_size: u8) -> bool {
    let size = usize::from(length_size);
    while !data.is_empty() {
        let Some((length, rest)) = data.split_at_checked(size) else { return false };
        let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        let Some(after) = rest.get(length..) else { return false };
        data = after;
    }
    true
}

/// The units between the start codes, without the zeros in front of the codes.
pub(crate) fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        let unit_and_rest = rest?;
        let mut end = unit_and_rest.len();
        let mut next = None;
        if let Some(at) = find_start_code(unit_and_rest) {
            end = at;
            next = unit_and_rest.get(at + 3..);
        }
        rest = next;
        let unit = unit_and_rest.get(..end).unwrap_or_default();
        let used = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        unit.get(..used)
    })
    .filter(|unit| !unit.is_empty())
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    data.get(find_start_code(data)? + 3..)
}

fn find_start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|bytes| bytes == [0, 0, 1])
}

/// The units with length prefixes of `length_size` bytes; `None` when one is too long for that, or there is
/// none.
pub(crate) fn to_length_prefixed(data: &[u8], length_size: u8) -> Option<Bytes> {
    let size = usize::from(length_size.clamp(1, 4));
    let mut out = Vec::with_capacity(data.len() + 16);
    for unit in units(data) {
        let length = u32::try_from(unit.len()).ok()?.to_be_bytes();
        let (unused, used) = length.split_at(4 - size);
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        out.extend(used);
        out.extend(unit);
    }
    (!out.is_empty()).then(|| out.into())
}

/// An AVCDecoderConfigurationRecord of the parameter sets in `data`; `None` unless there is at least one of
/// each kind.
pub(crate) fn to_avc_record(data: &[u8]) -> Option<Bytes> {
    const SPS: u8 = 7;
    const PPS: u8 = 8;
    let of = |kind: u8| units(data).filter(move |unit| unit.first().is_some_and(|header| header & 0x1f == kind));
    let &[_, profile, constraints, level] = of(SPS).next()?.first_chunk::<4>()?;
    let mut record = vec![1, profile, constraints, level, 0xff];
    for (kind, reserved, most) in [(SPS, 0xe0, 31), (PPS, 0, 255)] {
        let count = of(kind).take(most).count();
        if count == 0 {
            return None;
        }
        record.push(reserved | u8::try_from(count).ok()?);
        for unit in of(kind).take(most) {
            record.extend(u16::try_from(unit.len()).ok()?.to_be_bytes());
            record.extend(unit);
        }
    }
    Some(record.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_found_between_codes_of_both_lengths() {
        let data = [9, 0, 0, 1, 0x65, 1, 2, 0, 0, 0, 1, 0x41, 0, 3, 0, 0, 1, 0, 0, 1, 0x06, 0, 0];
        let found: Vec<_> = units(&data).collect();
        assert_eq!(found, [&[0x65, 1, 2][..], &[0x41, 0, 3], &[0x06]]);
        assert_eq!(units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn units_too_long_for_their_prefix_are_refused() {
        let data = [[0, 0, 1].as_slice(), &[7; 256]].concat();
        assert_eq!(to_length_prefixed(&data, 1), None);
        assert_eq!(to_length_prefixed(&data, 2).unwrap()[..3], [1, 0, 7]);
        assert_eq!(to_length_prefixed(&data, 4).unwrap()[..5], [0, 0, 1, 0, 7]);
        assert_eq!(to_length_prefixed(&[1, 2], 4), None);
    }

    #[test]
    fn a_record_needs_both_kinds_of_parameter_sets() {
        let sps = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0c, 5];
        let both = [sps.as_slice(), &[0, 0, 1, 0x68, 6]].concat();
        let record = [1, 0x42, 0xc0, 0x0c, 0xff, 0xe1, 0, 5, 0x67, 0x42, 0xc0, 0x0c, 5, 1, 0, 2, 0x68, 6];
        assert_eq!(to_avc_record(&both).unwrap(), record.as_slice());
        assert_eq!(to_avc_record(&sps), None);
        assert_eq!(to_avc_record(&[0, 0, 1, 0x68, 6]), None);
    }

    proptest! {
        #[test]
        fn what_is_converted_is_length_prefixed(data in proptest::collection::vec(0u8..3, 0..200), size in 1u8..5) {
            if let Some(converted) = to_length_prefixed(&data, size) {
                prop_assert!(is_length_prefixed(&converted, size));
            }
            let _ = to_avc_record(&data);
        }
    }
}
