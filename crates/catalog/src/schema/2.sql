-- The catalog, schema version 2: what a break costs.

-- Media time of its first picture or sound on its session's timeline, in ms; NULL in rows of version 1.
ALTER TABLE recordings ADD COLUMN start_ms INTEGER;
-- Media, in ms, that arrived directly after what it holds and is in no recording of its format; NULL: none is known of.
ALTER TABLE recordings ADD COLUMN lost_ms INTEGER CHECK (lost_ms > 0);
