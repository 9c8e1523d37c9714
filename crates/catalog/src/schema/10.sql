-- The catalog, schema version 10: recordings that wait for their publisher and go on.

-- Until when it waits for its publisher to come back; NULL: it does not wait.
ALTER TABLE recordings ADD COLUMN waiting_ms INTEGER CHECK (waiting_ms IS NULL OR state = 'recording');
-- What lies between the sessions it is of, as JSON: [from, to, at, length, apart] of each, in ms; NULL: nothing.
ALTER TABLE recordings ADD COLUMN gaps TEXT;
