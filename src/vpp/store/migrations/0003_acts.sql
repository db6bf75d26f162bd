CREATE TABLE commands (
    number INTEGER PRIMARY KEY,
    plant TEXT NOT NULL,
    id TEXT NOT NULL,
    asset_id TEXT NOT NULL,
    issued_us INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    power_kw REAL NOT NULL,
    grid_floor_kw REAL,
    grid_ceiling_kw REAL,
    may_reverse INTEGER NOT NULL,
    UNIQUE (plant, id)
);

CREATE INDEX commands_by_start ON commands (plant, start_us, number);

CREATE TABLE acks (
    number INTEGER PRIMARY KEY,
    plant TEXT NOT NULL,
    command_id TEXT NOT NULL,
    asset_id TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    status TEXT NOT NULL,
    power_kw REAL,
    message TEXT NOT NULL
);

CREATE INDEX acks_by_time ON acks (plant, at_us, number);

CREATE INDEX acks_by_command ON acks (plant, command_id);

CREATE TABLE awards (
    number INTEGER PRIMARY KEY,
    plant TEXT NOT NULL,
    offer_id TEXT NOT NULL,
    product TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    resolution_s INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    columns BLOB NOT NULL
);

CREATE INDEX awards_by_start ON awards (plant, start_us, number);

CREATE INDEX awards_by_offer ON awards (plant, offer_id);

CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    plant TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    fields TEXT NOT NULL
);

CREATE INDEX events_by_time ON events (plant, at_us, number);

PRAGMA user_version = 3;
