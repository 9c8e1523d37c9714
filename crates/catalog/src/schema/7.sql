-- The catalog, schema version 7: integrity reports.

-- One row per recording that has ended and was kept; goes with it.
CREATE TABLE reports (
    recording TEXT NOT NULL PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE, -- whose
    body      TEXT NOT NULL -- JSON, as the API shows it
) STRICT;
