-- The catalog, schema version 6: playlists over an MP4.

-- The recording whose file has its media: an HLS recording of playlists over that MP4, which goes where that goes; NULL:
-- its own files do.
ALTER TABLE recordings ADD COLUMN media_of TEXT CHECK (media_of IS NULL OR format = 'hls');
