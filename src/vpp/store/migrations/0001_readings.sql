-- 'vpps' in ASCII: says whose file this is.
PRAGMA application_id = 1987080307;

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    plant TEXT NOT NULL,
    source TEXT NOT NULL,
    metric TEXT NOT NULL,
    UNIQUE (plant, source, metric)
);

-- Clustered by series and time, so that a range is one walk; later arrivals and revisions follow their first.
CREATE TABLE readings (
    series_id INTEGER NOT NULL REFERENCES series (id),
    time_s INTEGER NOT NULL,
    arrived_s INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    issued_s INTEGER NOT NULL,
    value REAL NOT NULL,
    quality INTEGER NOT NULL,
    PRIMARY KEY (series_id, time_s, arrived_s, revision)
) WITHOUT ROWID;

PRAGMA user_version = 1;
