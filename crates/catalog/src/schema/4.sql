-- The catalog, schema version 4: tokens of the API.

-- One row per token that opens the API. Revoked, it goes.
CREATE TABLE tokens (
    name       TEXT    NOT NULL PRIMARY KEY, -- what it is called in lists and in the log
    scope      TEXT    NOT NULL CHECK (scope IN ('read', 'write')), -- what it opens
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256 of the token, which is nowhere
    created_ms INTEGER NOT NULL -- when it was made
) STRICT;
