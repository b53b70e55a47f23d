-- What the numbers of one property of one asset were in one hour (UTC); days are summed from hours when asked.
-- `sum` is added up in the order of the journal, so that a rebuild gives the same bits.
CREATE TABLE rollup_hour (
    asset    TEXT   NOT NULL,
    property TEXT   NOT NULL,
    start_at BIGINT NOT NULL,
    count    BIGINT NOT NULL,
    min      DOUBLE PRECISION NOT NULL,
    max      DOUBLE PRECISION NOT NULL,
    sum      DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (asset, property, start_at)
);
CREATE INDEX task_of_asset ON task (asset, requested_at, journal, seq, n);
