-- The rows stand in the tree of their key and not beside it: half the trees to keep, half the pages to write.
CREATE TABLE event_log_in_key (
    journal BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    PRIMARY KEY (journal, seq)
) WITHOUT ROWID;
INSERT INTO event_log_in_key SELECT journal, seq, at, kind, verdict FROM event_log ORDER BY journal, seq;
DROP TABLE event_log;
ALTER TABLE event_log_in_key RENAME TO event_log;

CREATE TABLE observation_in_key (
    journal       BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    n             BIGINT NOT NULL,
    device        TEXT   NOT NULL,
    asset         TEXT,
    property      TEXT   NOT NULL,
    observed_at   BIGINT NOT NULL,
    received_at   BIGINT NOT NULL,
    quality       BIGINT NOT NULL,
    unit          TEXT   NOT NULL,
    value_number  DOUBLE PRECISION,
    value_boolean BOOLEAN,
    value_text    TEXT,
    person        TEXT,
    sealed        BYTEA,
    exercise      BOOLEAN NOT NULL,
    PRIMARY KEY (journal, seq, n)
) WITHOUT ROWID;
INSERT INTO observation_in_key SELECT * FROM observation ORDER BY journal, seq, n;
DROP TABLE observation;
ALTER TABLE observation_in_key RENAME TO observation;
CREATE INDEX observation_of_asset ON observation (asset, property, observed_at, journal, seq, n);

CREATE TABLE rollup_hour_in_key (
    asset    TEXT   NOT NULL,
    property TEXT   NOT NULL,
    start_at BIGINT NOT NULL,
    count    BIGINT NOT NULL,
    min      DOUBLE PRECISION NOT NULL,
    max      DOUBLE PRECISION NOT NULL,
    sum      DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (asset, property, start_at)
) WITHOUT ROWID;
INSERT INTO rollup_hour_in_key SELECT * FROM rollup_hour ORDER BY asset, property, start_at;
DROP TABLE rollup_hour;
ALTER TABLE rollup_hour_in_key RENAME TO rollup_hour;
