-- The tables of 2026-11-25, 17:04, when lists were polled for the first time.

CREATE TABLE IF NOT EXISTS events (
    id          TEXT PRIMARY KEY,
    connector   TEXT NOT NULL,
    connection  TEXT NOT NULL,
    identity    TEXT NOT NULL,
    name        TEXT NOT NULL,
    occurred_at TEXT,
    received_at TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('accepted', 'held')),
    text        TEXT NOT NULL,
    source      TEXT NOT NULL DEFAULT 'webhook',
    UNIQUE (connector, connection, identity)
);
CREATE INDEX IF NOT EXISTS events_in_time ON events (connector, connection, occurred_at);

CREATE TABLE IF NOT EXISTS starts (
    event_id TEXT NOT NULL REFERENCES events (id),
    flow     TEXT NOT NULL,
    run_id   TEXT REFERENCES runs (id),
    reason   TEXT,
    held     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, flow),
    CHECK ((run_id IS NULL) <> (reason IS NULL))
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS dedupe (
    flow       TEXT NOT NULL,
    key        TEXT NOT NULL,
    started_at TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    PRIMARY KEY (flow, key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS revisions (
    id     TEXT PRIMARY KEY,
    flow   TEXT NOT NULL,
    source TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS runs (
    id          TEXT PRIMARY KEY,
    flow        TEXT NOT NULL,
    revision    TEXT NOT NULL REFERENCES revisions (id),
    event_id    TEXT NOT NULL REFERENCES events (id),
    trigger     TEXT NOT NULL,
    status      TEXT NOT NULL
        CHECK (status IN ('queued', 'running', 'waiting', 'held', 'succeeded', 'failed', 'cancelled')),
    epoch       INTEGER NOT NULL DEFAULT 0,
    created_at  TEXT NOT NULL,
    started_at  TEXT,
    finished_at TEXT,
    wake_at     TEXT,
    outputs     TEXT,
    error       TEXT,
    without_once INTEGER NOT NULL DEFAULT 0,
    UNIQUE (flow, event_id),
    CHECK ((status = 'waiting') = (wake_at IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS runs_to_do ON runs (status, wake_at) WHERE status IN ('queued', 'running', 'waiting');

CREATE TABLE IF NOT EXISTS steps (
    run_id      TEXT NOT NULL REFERENCES runs (id),
    step        TEXT NOT NULL,
    action      TEXT NOT NULL,
    status      TEXT NOT NULL
        CHECK (status IN ('started', 'sending', 'waiting', 'succeeded', 'failed', 'skipped', 'held')),
    input       TEXT,
    output      TEXT,
    reason      TEXT,
    error       TEXT,
    attempts    INTEGER NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS attempts (
    run_id      TEXT NOT NULL,
    step        TEXT NOT NULL,
    number      INTEGER NOT NULL,
    started_at  TEXT NOT NULL,
    sent_at     TEXT,
    finished_at TEXT,
    error       TEXT,
    PRIMARY KEY (run_id, step, number),
    FOREIGN KEY (run_id, step) REFERENCES steps (run_id, step)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS subscriptions (
    flow       TEXT PRIMARY KEY,
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    list       TEXT NOT NULL,
    watched    TEXT NOT NULL,
    started_at TEXT NOT NULL,
    begins_at  TEXT,
    live_at    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS polls (
    id            INTEGER PRIMARY KEY,
    connector     TEXT NOT NULL,
    connection    TEXT NOT NULL,
    list          TEXT NOT NULL,
    partition     TEXT NOT NULL,
    state         TEXT,
    polled_at     TEXT,
    swept_at      TEXT,
    alert         TEXT,
    failing_since TEXT,
    error         TEXT,
    retired_at    TEXT,
    UNIQUE (connector, connection, list, partition),
    CHECK ((failing_since IS NULL) = (error IS NULL))
);

CREATE TABLE IF NOT EXISTS own_polls (
    flow    TEXT PRIMARY KEY,
    watched TEXT NOT NULL,
    state   TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS caught_up (
    flow    TEXT NOT NULL REFERENCES subscriptions (flow),
    poll_id INTEGER NOT NULL REFERENCES polls (id),
    PRIMARY KEY (flow, poll_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS observed (
    poll_id  INTEGER NOT NULL REFERENCES polls (id),
    item     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    walk     INTEGER NOT NULL,
    seen_at  TEXT NOT NULL,
    at       TEXT NOT NULL,
    facts    TEXT,
    event_id TEXT REFERENCES events (id),
    PRIMARY KEY (poll_id, item)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS observed_unbound ON observed (poll_id, at) WHERE facts IS NOT NULL;

CREATE TABLE IF NOT EXISTS arrivals (
    event_id   TEXT PRIMARY KEY REFERENCES events (id),
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    list       TEXT NOT NULL,
    named      TEXT,
    partition  TEXT,
    at         TEXT NOT NULL,
    facts      TEXT NOT NULL,
    item       TEXT,
    bound_at   TEXT,
    CHECK ((item IS NULL) = (bound_at IS NULL))
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS arrivals_unbound ON arrivals (connector, connection, list, at) WHERE item IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS arrivals_bound ON arrivals (connector, connection, list, partition, item)
    WHERE item IS NOT NULL;

CREATE TABLE IF NOT EXISTS waiting_starts (
    event_id TEXT NOT NULL REFERENCES arrivals (event_id),
    flow     TEXT NOT NULL,
    due_at   TEXT NOT NULL,
    PRIMARY KEY (event_id, flow)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting_starts_due ON waiting_starts (due_at);

CREATE TABLE IF NOT EXISTS aliases (
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    named      TEXT NOT NULL,
    partition  TEXT NOT NULL,
    PRIMARY KEY (connector, connection, named)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS schedules (
    flow   TEXT PRIMARY KEY,
    key    TEXT NOT NULL,
    anchor TEXT NOT NULL,
    last   TEXT NOT NULL
) WITHOUT ROWID;
