-- What stood here before served; a constant default leaves the rows untouched.
ALTER TABLE forecasts ADD COLUMN product TEXT NOT NULL DEFAULT 'rolling';

DROP INDEX forecasts_by_issue;

CREATE INDEX forecasts_by_issue ON forecasts (series_id, product, issued_us, id);

CREATE TABLE scores (
    series_id INTEGER NOT NULL REFERENCES series (id),
    product TEXT NOT NULL,
    issued_us INTEGER NOT NULL,
    model TEXT NOT NULL,
    hours INTEGER NOT NULL,
    mae REAL NOT NULL,
    pinball REAL,
    coverage_80 REAL,
    PRIMARY KEY (series_id, product, issued_us, model)
) WITHOUT ROWID;

CREATE TABLE champions (
    id INTEGER PRIMARY KEY,
    series_id INTEGER NOT NULL REFERENCES series (id),
    decided_us INTEGER NOT NULL,
    model TEXT NOT NULL,
    trained_us INTEGER NOT NULL,
    run TEXT NOT NULL,
    artefact TEXT NOT NULL,
    reason TEXT NOT NULL
);

CREATE INDEX champions_by_decision ON champions (series_id, decided_us, id);

PRAGMA user_version = 4;
