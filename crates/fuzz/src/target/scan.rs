//! MP4 and FLV files nobody wrote, growing and finished: what salvage asks for can be done, and then
//! nothing more is to be done; the tags of an FLV file are no more than fit into it.
//!
//! ```text
//! input  format u8 (0: MP4, 1: FLV; high bit: finished) | bytes of the file
//! ```

use bytes::Bytes;
use livetape_flv::Tags;
use livetape_media::Format;
use livetape_mux::FileName;

use crate::directory::Directory;
use crate::settle;

/// Reads the input as a file.
pub fn run(data: &[u8]) {
    let Some((selector, bytes)) = data.split_first() else { return };
    let growing = selector & 0x80 == 0;
    let (format, file) =
        if selector & 1 == 0 { (Format::Mp4, FileName::mp4()) } else { (Format::Flv, FileName::flv()) };
    let mut directory = Directory::default();
    directory.put(file, bytes.to_vec(), growing);
    settle::settle(format, &mut directory, settle::wall_start());
    if format == Format::Flv
        && let Ok(tags) = Tags::of(Bytes::copy_from_slice(bytes))
    {
        assert!(tags.count() <= bytes.len() / 11);
    }
}
