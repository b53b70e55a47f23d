-- PostgreSQL keeps observations in one partition for each month of `observed_at` (UTC), made ahead by the program and
-- dropped whole when they are old enough. What a device dates before 2000 or after 2099 stands in two partitions of
-- its own, so that no clock of a device can ask for a partition. There is no default partition: it would forbid
-- detaching a month without a long lock.
DROP TABLE observation;
CREATE TABLE observation (
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
    PRIMARY KEY (journal, seq, n, observed_at)
) PARTITION BY RANGE (observed_at);
CREATE INDEX observation_of_asset ON observation (asset, property, observed_at, journal, seq, n);
CREATE TABLE observation_before PARTITION OF observation FOR VALUES FROM (MINVALUE) TO (946684800000000);
CREATE TABLE observation_after PARTITION OF observation FOR VALUES FROM (4102444800000000) TO (MAXVALUE);

-- What the numbers of one property of one asset were in one hour (UTC); days are summed from hours when asked.
-- `sum` is added up in the order of the journal, so that a rebuild gives the same bits.
CREATE TABLE rollup_hour (
    asset    TEXT COLLATE "C" NOT NULL,
    property TEXT COLLATE "C" NOT NULL,
    start_at BIGINT NOT NULL,
    count    BIGINT NOT NULL,
    min      DOUBLE PRECISION NOT NULL,
    max      DOUBLE PRECISION NOT NULL,
    sum      DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (asset, property, start_at)
);
CREATE INDEX task_of_asset ON task (asset, requested_at, journal, seq, n);

-- Compared with a rebuild in the order of the key, which must not depend on the language of the database.
ALTER TABLE device ALTER COLUMN device TYPE TEXT COLLATE "C";
