-- History, projected from the journal. Portable: the same text runs on SQLite and PostgreSQL.
-- Times are microseconds since 1970 UTC. A row's identity is (journal, seq, n): the n-th row of one journaled event.

CREATE TABLE journal (
    number            BIGINT NOT NULL PRIMARY KEY,
    id                TEXT   NOT NULL UNIQUE,
    projected_through BIGINT NOT NULL
);

CREATE TABLE event_log (
    journal BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    PRIMARY KEY (journal, seq)
);

-- Which asset a device stands on, as the registry last said.
CREATE TABLE device (
    device TEXT NOT NULL PRIMARY KEY,
    asset  TEXT NOT NULL
);

-- A value about a person stands in `sealed` only; with its key erased, nowhere.
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
    PRIMARY KEY (journal, seq, n)
);
CREATE INDEX observation_of_asset ON observation (asset, property, observed_at, journal, seq, n);

CREATE TABLE alarm (
    journal         BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    n               BIGINT NOT NULL,
    alarm           BIGINT NOT NULL,
    rule            TEXT   NOT NULL,
    asset           TEXT   NOT NULL,
    priority        BIGINT NOT NULL,
    device          TEXT,
    observed_at     BIGINT NOT NULL,
    caused_by       BIGINT NOT NULL,
    exercise        BOOLEAN NOT NULL,
    raised_at       BIGINT NOT NULL,
    normal_at       BIGINT,
    acknowledged_at BIGINT,
    acknowledged_by TEXT,
    closed_at       BIGINT,
    PRIMARY KEY (journal, seq, n)
);
CREATE INDEX alarm_by_id ON alarm (alarm, journal);
CREATE INDEX alarm_by_time ON alarm (raised_at, journal, seq, n);
CREATE INDEX alarm_of_asset ON alarm (asset, raised_at, journal, seq, n);

CREATE TABLE task (
    journal       BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    n             BIGINT NOT NULL,
    task          BIGINT NOT NULL,
    alarm         BIGINT NOT NULL,
    asset         TEXT,
    priority      BIGINT,
    kind          TEXT   NOT NULL,
    skill         TEXT   NOT NULL,
    exercise      BOOLEAN NOT NULL,
    requested_at  BIGINT NOT NULL,
    status        TEXT   NOT NULL,
    stage         TEXT,
    crew          TEXT,
    offers        BIGINT NOT NULL,
    rejections    BIGINT NOT NULL,
    accepted_at   BIGINT,
    ended_at      BIGINT,
    cancel_reason TEXT,
    PRIMARY KEY (journal, seq, n)
);
CREATE INDEX task_by_id ON task (task, journal);
CREATE INDEX task_by_time ON task (requested_at, journal, seq, n);

-- The first bytes of a message about a person stand in `sealed` only; with its key erased, nowhere.
CREATE TABLE quarantine (
    journal     BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    n           BIGINT NOT NULL,
    reason      TEXT   NOT NULL,
    detail      TEXT   NOT NULL,
    topic       TEXT   NOT NULL,
    device      TEXT,
    received_at BIGINT NOT NULL,
    head        BYTEA,
    length      BIGINT NOT NULL,
    person      TEXT,
    sealed      BYTEA,
    PRIMARY KEY (journal, seq, n)
);
CREATE INDEX quarantine_by_time ON quarantine (received_at, journal, seq, n);

-- Entries this store could not keep, with the reason: the rest goes on.
CREATE TABLE set_aside (
    journal BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    reason  TEXT   NOT NULL,
    PRIMARY KEY (journal, seq)
);
