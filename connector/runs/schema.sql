-- The journal: events, what flows made of them, runs, their steps and attempts.
-- Times are UTC in ISO 8601. JSON and texts from outside are ASCII-escaped JSON.

-- Migrations are for databases of an earlier version.
CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL);

-- `same_as` is an earlier event that told of the same, or the event itself where it tells of the past. `text` is 'null'
-- once it was removed, while the row stays so that the event is recognised. `headers` are those of a webhook; it is not
-- `exact` where its body was written anew on its way, and what was signed restored.
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
    same_as     TEXT,
    headers     TEXT,
    exact       INTEGER NOT NULL DEFAULT 1,
    UNIQUE (connector, connection, identity)
);
CREATE INDEX IF NOT EXISTS events_held ON events (id) WHERE status = 'held';
CREATE INDEX IF NOT EXISTS events_by_time ON events (connector, connection, coalesce(occurred_at, received_at));
CREATE INDEX IF NOT EXISTS events_with_text ON events (id) WHERE text <> 'null';

-- The last run that started for each key of `dedupe`.
CREATE TABLE IF NOT EXISTS dedupe (
    flow       TEXT NOT NULL,
    key        TEXT NOT NULL,
    started_at TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    PRIMARY KEY (flow, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dedupe_by_time ON dedupe (flow, started_at);

-- The texts of the flows that runs are pinned to, by their digest, and the revisions of the flows that they call.
CREATE TABLE IF NOT EXISTS revisions (
    id     TEXT PRIMARY KEY,
    flow   TEXT NOT NULL,
    source TEXT NOT NULL,
    calls  TEXT NOT NULL DEFAULT '{}'
);

-- queued → running → succeeded | failed | held | cancelled
--          running ⇄ waiting, and back to queued when its process ends
-- A person brings failed, held and cancelled ones back to queued. `cancelling` is why a running one shall be cancelled,
-- which its process does before it begins anything more.
-- `epoch` grows with each claim; a write of an older epoch changes nothing. `worked` are seconds without those of waits.
-- `trace` is the id of its trace of OpenTelemetry; `told_at` when it was told that the run failed or is held.
-- Of the runs of a flow with the same `lane` that have not finished, the first `lane_limit` by their `lane_place` go on.
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
    backfill    INTEGER NOT NULL DEFAULT 0,
    worked      REAL NOT NULL DEFAULT 0,
    reason      TEXT,
    lane        TEXT,
    lane_limit  INTEGER,
    lane_place  INTEGER,
    cancelling  TEXT,
    trace       TEXT,
    told_at     TEXT,
    UNIQUE (flow, event_id),
    CHECK ((status = 'waiting') = (wake_at IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS runs_by_lane ON runs (flow, lane, lane_place) WHERE lane IS NOT NULL AND finished_at IS NULL;
CREATE INDEX IF NOT EXISTS runs_to_do ON runs (status, wake_at) WHERE status IN ('queued', 'running', 'waiting');
CREATE INDEX IF NOT EXISTS runs_finished ON runs (status, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_of_event ON runs (event_id);
CREATE INDEX IF NOT EXISTS runs_of_revision ON runs (revision);
CREATE INDEX IF NOT EXISTS runs_to_tell ON runs (id) WHERE told_at IS NULL AND status IN ('failed', 'held');

-- What each flow made of an event: a run, which may have been removed since, or the reason why not.
CREATE TABLE IF NOT EXISTS starts (
    event_id TEXT NOT NULL REFERENCES events (id),
    flow     TEXT NOT NULL,
    run_id   TEXT,
    reason   TEXT,
    held     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, flow),
    CHECK ((run_id IS NULL) <> (reason IS NULL))
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS runs_by_flow ON runs (flow, id);
CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, id) WHERE status <> 'succeeded';

-- started → sending → succeeded | failed | held, back to started for the next attempt; skipped at once.
-- Only a step that a crash left in `sending` is ambiguous. `attempt_at` and `sent_at` are of its last attempt.
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
    wake_at     TEXT,
    attempt_at  TEXT,
    sent_at     TEXT,
    kept        TEXT,
    requests    TEXT,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;

-- Steps that wait for an event of a connection, what they have not looked at yet, and what each event serves.
CREATE TABLE IF NOT EXISTS awaited (
    run_id     TEXT NOT NULL REFERENCES runs (id),
    step       TEXT NOT NULL,
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS awaited_of ON awaited (connector, connection);
CREATE TABLE IF NOT EXISTS offered (
    run_id   TEXT NOT NULL,
    step     TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id),
    PRIMARY KEY (run_id, step, event_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS offered_events ON offered (event_id);
CREATE TABLE IF NOT EXISTS taken (
    event_id TEXT PRIMARY KEY REFERENCES events (id),
    run_id   TEXT NOT NULL,
    step     TEXT NOT NULL,
    UNIQUE (run_id, step)
) WITHOUT ROWID;

-- What people answered to steps that ask for their approval; `by` is null where nobody did in time.
CREATE TABLE IF NOT EXISTS answers (
    run_id   TEXT NOT NULL REFERENCES runs (id),
    step     TEXT NOT NULL,
    approved INTEGER NOT NULL,
    by       TEXT,
    at       TEXT NOT NULL,
    form     TEXT NOT NULL,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;

-- What steps are given instead of being done, in runs with which a person tries a flow.
CREATE TABLE IF NOT EXISTS pins (
    run_id TEXT NOT NULL REFERENCES runs (id),
    step   TEXT NOT NULL,
    pin    TEXT NOT NULL,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;

-- What people decided about runs. `undone` is how the run stood before, and the steps that are done anew as they were;
-- `repeats` are the paths of those that succeeded and are done once more.
CREATE TABLE IF NOT EXISTS interventions (
    run_id  TEXT NOT NULL REFERENCES runs (id),
    number  INTEGER NOT NULL,
    what    TEXT NOT NULL CHECK (what IN ('retry', 'cancel', 'done', 'not_done')),
    step    TEXT,
    by      TEXT NOT NULL,
    at      TEXT NOT NULL,
    reason  TEXT,
    undone  TEXT NOT NULL,
    repeats TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
) WITHOUT ROWID;

-- Attempts that were followed by another one. `requests` are those of HTTP, as `connector/exchanges.py` describes them.
CREATE TABLE IF NOT EXISTS attempts (
    run_id      TEXT NOT NULL,
    step        TEXT NOT NULL,
    number      INTEGER NOT NULL,
    started_at  TEXT NOT NULL,
    sent_at     TEXT,
    finished_at TEXT,
    error       TEXT,
    requests    TEXT,
    PRIMARY KEY (run_id, step, number),
    FOREIGN KEY (run_id, step) REFERENCES steps (run_id, step)
) WITHOUT ROWID;

-- Which flows watch which list, and since when. What is older than `begins_at`, by the other side's clock, is told only
-- by a list that was swept. `page` is the last one that was taken while the flow was served, `live_at` its time, by the
-- other side's clock too.
CREATE TABLE IF NOT EXISTS subscriptions (
    flow       TEXT PRIMARY KEY,
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    list       TEXT NOT NULL,
    watched    TEXT NOT NULL,
    started_at TEXT NOT NULL,
    begins_at  TEXT,
    page       INTEGER NOT NULL,
    live_at    TEXT
) WITHOUT ROWID;

-- The walk through each list that is polled, one for each partition, whatever the number of flows. `walk` is the number
-- of its last full walk, `swept_walk` that of the last clean one, which cannot have missed anything, `clean_walks` a list
-- of the last clean ones; pages are numbered over all partitions of a list. `due_at` is when the next round begins at the
-- latest, `stretch` by how much the pauses are longer than wanted, `unwatched_at` since when no flow watches it.
CREATE TABLE IF NOT EXISTS polls (
    id            INTEGER PRIMARY KEY,
    connector     TEXT NOT NULL,
    connection    TEXT NOT NULL,
    list          TEXT NOT NULL,
    partition     TEXT NOT NULL,
    state         TEXT,
    walk          INTEGER NOT NULL DEFAULT 0,
    swept_walk    INTEGER,
    clean_walks   TEXT NOT NULL DEFAULT '[]',
    page          INTEGER NOT NULL DEFAULT 0,
    polled_at     TEXT,
    swept_at      TEXT,
    alert         TEXT,
    failing_since TEXT,
    error         TEXT,
    retired_at    TEXT,
    due_at        TEXT,
    stretch       REAL NOT NULL DEFAULT 1,
    unwatched_at  TEXT,
    UNIQUE (connector, connection, list, partition),
    CHECK ((failing_since IS NULL) = (error IS NULL))
);

-- Since when the partitions of a list, such as the agents of an account, cannot be asked for, and why.
CREATE TABLE IF NOT EXISTS partition_failures (
    connector     TEXT NOT NULL,
    connection    TEXT NOT NULL,
    list          TEXT NOT NULL,
    failing_since TEXT NOT NULL,
    error         TEXT NOT NULL,
    PRIMARY KEY (connector, connection, list)
) WITHOUT ROWID;

-- Where the polls of triggers stand that find their events by themselves, one for each flow.
CREATE TABLE IF NOT EXISTS own_polls (
    flow    TEXT PRIMARY KEY,
    watched TEXT NOT NULL,
    state   TEXT NOT NULL
) WITHOUT ROWID;

-- The first full walk of a poll that began while a flow watched. Once that or a later one cannot have missed anything,
-- the flow has seen everything that there was when it began to watch.
CREATE TABLE IF NOT EXISTS caught_up (
    flow    TEXT NOT NULL REFERENCES subscriptions (flow),
    poll_id INTEGER NOT NULL REFERENCES polls (id),
    walk    INTEGER NOT NULL,
    PRIMARY KEY (flow, poll_id)
) WITHOUT ROWID;

-- What was seen in a list: `walk` is the number of the last full walk during which it was there, `event_id` what was
-- told of it first, `facts` by what a webhook can be recognised as it, while that may come.
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
CREATE INDEX IF NOT EXISTS observed_events ON observed (event_id) WHERE event_id IS NOT NULL;

-- Webhooks that tell of an entry of a list without naming it. `named` is what they call the partition, `partition` is
-- known where that is its own name; `item` is the entry, once it is recognised, and `partition` where that stands.
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

-- The flows that start from a webhook alone unless its entry is recognised before.
CREATE TABLE IF NOT EXISTS waiting_starts (
    event_id TEXT NOT NULL REFERENCES arrivals (event_id),
    flow     TEXT NOT NULL,
    due_at   TEXT NOT NULL,
    PRIMARY KEY (event_id, flow)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting_starts_due ON waiting_starts (flow, due_at);

-- Other names that webhooks have for a partition, learned from those that were recognised, and how often one was
-- recognised in another partition than before: the other side may have one name for several.
CREATE TABLE IF NOT EXISTS aliases (
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    named      TEXT NOT NULL,
    partition  TEXT NOT NULL,
    wrong      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (connector, connection, named)
) WITHOUT ROWID;

-- How answers differ from what a plugin's models declare, as `connector/drift.py` finds it, and how often.
CREATE TABLE IF NOT EXISTS drift (
    operation TEXT NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('unknown', 'missing', 'retyped')),
    path      TEXT NOT NULL,
    times     INTEGER NOT NULL,
    first_at  TEXT NOT NULL,
    last_at   TEXT NOT NULL,
    PRIMARY KEY (operation, kind, path)
) WITHOUT ROWID;

-- Flows that the clock starts. Ticks after `anchor` count; those up to `last` were dealt with.
-- A flow that is off, or whose timetable has another key, has no row and begins anew.
CREATE TABLE IF NOT EXISTS schedules (
    flow   TEXT PRIMARY KEY,
    key    TEXT NOT NULL,
    anchor TEXT NOT NULL,
    last   TEXT NOT NULL
) WITHOUT ROWID;
