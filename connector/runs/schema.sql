-- The journal: events, what flows made of them, runs, their steps and attempts.
-- Times are UTC in ISO 8601. JSON and texts from outside are ASCII-escaped JSON.

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
    UNIQUE (connector, connection, identity)
);

-- What each flow made of an event: a run, or the reason why not.
CREATE TABLE IF NOT EXISTS starts (
    event_id TEXT NOT NULL REFERENCES events (id),
    flow     TEXT NOT NULL,
    run_id   TEXT REFERENCES runs (id),
    reason   TEXT,
    PRIMARY KEY (event_id, flow),
    CHECK ((run_id IS NULL) <> (reason IS NULL))
) WITHOUT ROWID;

-- The last run that started for each key of `dedupe`.
CREATE TABLE IF NOT EXISTS dedupe (
    flow       TEXT NOT NULL,
    key        TEXT NOT NULL,
    started_at TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    PRIMARY KEY (flow, key)
) WITHOUT ROWID;

-- The texts of the flows that runs are pinned to, by their digest.
CREATE TABLE IF NOT EXISTS revisions (
    id     TEXT PRIMARY KEY,
    flow   TEXT NOT NULL,
    source TEXT NOT NULL
);

-- queued → running → succeeded | failed | held | cancelled
--          running ⇄ waiting, and back to queued when its process ends
-- `epoch` grows with each claim; a write of an older epoch changes nothing.
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
    UNIQUE (flow, event_id),
    CHECK ((status = 'waiting') = (wake_at IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS runs_to_do ON runs (status, wake_at) WHERE status IN ('queued', 'running', 'waiting');

-- started → sending → succeeded | failed | held, back to started for the next attempt; skipped at once.
-- Only a step that a crash left in `sending` is ambiguous.
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

-- Flows that the clock starts. Ticks after `anchor` count; those up to `last` were dealt with.
-- A flow that is off, or whose timetable has another key, has no row and begins anew.
CREATE TABLE IF NOT EXISTS schedules (
    flow   TEXT PRIMARY KEY,
    key    TEXT NOT NULL,
    anchor TEXT NOT NULL,
    last   TEXT NOT NULL
) WITHOUT ROWID;
