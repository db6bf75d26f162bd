CREATE TABLE forecasts (
    id INTEGER PRIMARY KEY,
    series_id INTEGER NOT NULL REFERENCES series (id),
    issued_us INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    resolution_s INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    model TEXT NOT NULL,
    levels TEXT NOT NULL,
    flags TEXT NOT NULL,
    columns BLOB NOT NULL
);

CREATE INDEX forecasts_by_issue ON forecasts (series_id, issued_us, id);

CREATE TABLE schedules (
    id INTEGER PRIMARY KEY,
    plant TEXT NOT NULL,
    issued_us INTEGER NOT NULL,
    status TEXT NOT NULL,
    payload BLOB NOT NULL
);

CREATE INDEX schedules_by_issue ON schedules (plant, issued_us, id);

PRAGMA user_version = 2;
