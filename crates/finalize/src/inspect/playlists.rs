//! Playlists over an MP4: they are whole, and what they list is in it.

use livetape_catalog::{RecordingRow, RecordingState};
use livetape_mux::hls;
use livetape_record::RecordingId;
use livetape_store::ObjectKey;

use super::{Eye, Finding, What};
use crate::FinalizeError;
use crate::finalizer::PLAYLIST_MAX_BYTES;

impl Eye<'_> {
    /// What is wrong with the playlists of `row`, whose media is that of `media`. Before they are ready, and in the
    /// spool, they are looked at with it.
    pub(super) fn playlists_of_mp4(
        &self,
        row: &RecordingRow,
        media: &RecordingId,
    ) -> Result<Vec<Finding>, FinalizeError> {
        let (id, key, store) = (row.id.to_string(), row.key.parse::<ObjectKey>()?, self.store_of(row));
        let present = self.beside(store, &key)?;
        if !present.contains_key(key.name()) {
            return Ok(vec![self.missing(row, format!("{key} is not in the store"))?]);
        }
        let bytes: u64 = present.values().sum();
        if let Some(expected) = row.size_bytes.filter(|expected| *expected != bytes) {
            let detail = format!("the objects beside {key} have {bytes} bytes instead of {expected}");
            return Ok(vec![Finding::new(What::ObjectSize, id, detail, self.restore(row)?)]);
        }
        let there = self.catalog.recording(media)?.filter(|media| media.state == RecordingState::Ready);
        let media_bytes = there.and_then(|media| media.size_bytes).unwrap_or(0);
        let mut found = Vec::new();
        for name in [hls::GROWING, hls::WHOLE] {
            let read = self.runtime.block_on(store.read(&key.sibling(name)?, PLAYLIST_MAX_BYTES as u64))?;
            let Some(text) = read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) else {
                found.push(self.missing(row, format!("{name} is not in the store"))?);
                continue;
            };
            let (what, detail) = if !text.trim_end().ends_with("#EXT-X-ENDLIST") {
                (What::ObjectDamaged, format!("{name} in the store does not say where it ends"))
            } else if let Some(end) = hls::ranges(&text).map(|range| range.end).max().filter(|end| *end > media_bytes) {
                let detail = format!("{name} in the store lists bytes up to {end} of {media}, which has {media_bytes}");
                (What::PlaylistDangling, detail)
            } else {
                continue;
            };
            found.push(Finding::new(what, id.clone(), detail, self.restore(row)?));
        }
        Ok(found)
    }
}
