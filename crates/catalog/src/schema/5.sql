-- The catalog, schema version 5: events numbered within their stream, deliveries sent again, endpoints made by the API.

-- The URL the publisher said it connected to, without query and user; empty: unknown.
ALTER TABLE sessions ADD COLUMN tc_url TEXT NOT NULL DEFAULT '';
-- What the publisher called itself; empty: unknown.
ALTER TABLE sessions ADD COLUMN encoder TEXT NOT NULL DEFAULT '';

-- Which of its stream's events it is, from 1, without a gap; NULL in rows of earlier versions.
ALTER TABLE events ADD COLUMN seq INTEGER;
CREATE INDEX events_stream ON events (subject, seq);
CREATE INDEX events_time ON events (timestamp_ms);

-- When somebody asked for it to be sent again; NULL: nobody did.
ALTER TABLE deliveries ADD COLUMN again_ms INTEGER;
-- Attempts made before that.
ALTER TABLE deliveries ADD COLUMN again_attempts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_lost ON deliveries (event) WHERE state = 'given_up' OR state = 'dropped';

-- How long the attempt took; NULL in rows of earlier versions.
ALTER TABLE attempts ADD COLUMN took_ms INTEGER;
-- The beginning of the receiver's answer; NULL: none, or an earlier version.
ALTER TABLE attempts ADD COLUMN answer TEXT;

-- The settings of one made by the API, as JSON; NULL: it is in the configuration.
ALTER TABLE endpoints ADD COLUMN settings TEXT;
