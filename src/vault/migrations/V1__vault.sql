-- Times are microseconds since 1970-01-01T00:00:00Z. Nothing here is readable without the key file, but ids and times.

-- One row: tells whether the key file beside the vault is the one it was made with.
CREATE TABLE vault (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    key_check BLOB NOT NULL
) STRICT;

-- The key of a person, wrapped with the vault key. An erased key leaves its row: it must never be made again.
CREATE TABLE subject_key (
    person    TEXT PRIMARY KEY,
    wrapped   BLOB,
    made_at   INTEGER,
    erased_at INTEGER,
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
) STRICT;

-- Name, phone, e-mail, address: sealed with the person's key.
CREATE TABLE personal (
    person     TEXT PRIMARY KEY,
    sealed     BLOB NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- Logins of devices, gateways, crews and services.
CREATE TABLE client (
    id             TEXT PRIMARY KEY,
    role           TEXT NOT NULL CHECK (role IN ('device', 'gateway', 'crew', 'service')),
    acts_for       TEXT NOT NULL,
    secret_hash    BLOB,
    certificate_cn TEXT UNIQUE,
    changed_at     INTEGER NOT NULL
) STRICT;

-- People who sign in.
CREATE TABLE account (
    id            TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    made_at       INTEGER NOT NULL,
    failed        INTEGER NOT NULL DEFAULT 0,
    locked_until  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- An empty area is every area.
CREATE TABLE account_role (
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('operator', 'crew', 'integrator', 'auditor', 'admin')),
    area    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account, role, area)
) STRICT;

CREATE TABLE session (
    id         INTEGER PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,
    account    TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    opened_at  INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_of_account ON session (account, opened_at);

-- The link that makes the first admin: at most one, used once.
CREATE TABLE first_start (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    token_hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
