-- Made by the bench of 2026-11-26, 00:39: version 1.
CREATE TABLE events (
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
    UNIQUE (connector, connection, identity)
);
CREATE INDEX events_by_time ON events (connector, connection, coalesce(occurred_at, received_at));
CREATE TABLE starts (
    event_id TEXT NOT NULL REFERENCES events (id),
    flow     TEXT NOT NULL,
    run_id   TEXT REFERENCES runs (id),
    reason   TEXT,
    held     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, flow),
    CHECK ((run_id IS NULL) <> (reason IS NULL))
) WITHOUT ROWID;
CREATE TABLE dedupe (
    flow       TEXT NOT NULL,
    key        TEXT NOT NULL,
    started_at TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    PRIMARY KEY (flow, key)
) WITHOUT ROWID;
CREATE TABLE revisions (
    id     TEXT PRIMARY KEY,
    flow   TEXT NOT NULL,
    source TEXT NOT NULL,
    calls  TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE runs (
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
    UNIQUE (flow, event_id),
    CHECK ((status = 'waiting') = (wake_at IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX runs_by_lane ON runs (flow, lane, id) WHERE lane IS NOT NULL AND finished_at IS NULL;
CREATE INDEX runs_to_do ON runs (status, wake_at) WHERE status IN ('queued', 'running', 'waiting');
CREATE TABLE steps (
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
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;
CREATE TABLE awaited (
    run_id     TEXT NOT NULL REFERENCES runs (id),
    step       TEXT NOT NULL,
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;
CREATE INDEX awaited_of ON awaited (connector, connection);
CREATE TABLE offered (
    run_id   TEXT NOT NULL,
    step     TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id),
    PRIMARY KEY (run_id, step, event_id)
) WITHOUT ROWID;
CREATE TABLE taken (
    event_id TEXT PRIMARY KEY REFERENCES events (id),
    run_id   TEXT NOT NULL,
    step     TEXT NOT NULL,
    UNIQUE (run_id, step)
) WITHOUT ROWID;
CREATE TABLE answers (
    run_id   TEXT NOT NULL REFERENCES runs (id),
    step     TEXT NOT NULL,
    approved INTEGER NOT NULL,
    by       TEXT NOT NULL,
    at       TEXT NOT NULL,
    form     TEXT NOT NULL,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;
CREATE TABLE pins (
    run_id TEXT NOT NULL REFERENCES runs (id),
    step   TEXT NOT NULL,
    pin    TEXT NOT NULL,
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;
CREATE TABLE attempts (
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
CREATE TABLE subscriptions (
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
CREATE TABLE polls (
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
CREATE TABLE partition_failures (
    connector     TEXT NOT NULL,
    connection    TEXT NOT NULL,
    list          TEXT NOT NULL,
    failing_since TEXT NOT NULL,
    error         TEXT NOT NULL,
    PRIMARY KEY (connector, connection, list)
) WITHOUT ROWID;
CREATE TABLE own_polls (
    flow    TEXT PRIMARY KEY,
    watched TEXT NOT NULL,
    state   TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE caught_up (
    flow    TEXT NOT NULL REFERENCES subscriptions (flow),
    poll_id INTEGER NOT NULL REFERENCES polls (id),
    walk    INTEGER NOT NULL,
    PRIMARY KEY (flow, poll_id)
) WITHOUT ROWID;
CREATE TABLE observed (
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
CREATE INDEX observed_unbound ON observed (poll_id, at) WHERE facts IS NOT NULL;
CREATE TABLE arrivals (
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
CREATE INDEX arrivals_unbound ON arrivals (connector, connection, list, at) WHERE item IS NULL;
CREATE UNIQUE INDEX arrivals_bound ON arrivals (connector, connection, list, partition, item)
    WHERE item IS NOT NULL;
CREATE TABLE waiting_starts (
    event_id TEXT NOT NULL REFERENCES arrivals (event_id),
    flow     TEXT NOT NULL,
    due_at   TEXT NOT NULL,
    PRIMARY KEY (event_id, flow)
) WITHOUT ROWID;
CREATE INDEX waiting_starts_due ON waiting_starts (flow, due_at);
CREATE TABLE aliases (
    connector  TEXT NOT NULL,
    connection TEXT NOT NULL,
    named      TEXT NOT NULL,
    partition  TEXT NOT NULL,
    wrong      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (connector, connection, named)
) WITHOUT ROWID;
CREATE TABLE schedules (
    flow   TEXT PRIMARY KEY,
    key    TEXT NOT NULL,
    anchor TEXT NOT NULL,
    last   TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248b4440db9cbd426a','test','default','ping-1','"ping"',NULL,'2026-03-25T10:30:00.000000Z','accepted','"{}"','webhook',NULL);
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248c2ea0c146bd4b6b','test','default','ping-2','"ping"',NULL,'2026-03-25T10:31:00.000000Z','accepted','"{}"','webhook',NULL);
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248c2ea07077fa7979','test','default','ping-3','"ping"',NULL,'2026-03-25T10:31:00.000000Z','accepted','"{}"','webhook',NULL);
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248c2ea0d6fa6bdea1','test','default','ping-4','"ping"',NULL,'2026-03-25T10:31:00.000000Z','accepted','"{}"','webhook',NULL);
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248c2ea18458b9ff1c','test','default','ping-5','"ping"',NULL,'2026-03-25T10:31:00.001000Z','accepted','"{}"','webhook',NULL);
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248c2ea2c61cfa0a89','test','default','ping-6','"ping"',NULL,'2026-03-25T10:31:00.002000Z','accepted','"{}"','webhook',NULL);
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248c2ea3afffc010cc','test','default','ping-7','"ping"',NULL,'2026-03-25T10:31:00.003000Z','accepted','"{}"','webhook',NULL);
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source, same_as) VALUES ('evt_19d248c2ea3fe71afde10','test','default','ping-8','"ping"',NULL,'2026-03-25T10:31:00.003000Z','accepted','"{}"','webhook',NULL);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248b4440db9cbd426a','ask','run_19d248b444094255b6ee8',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248c2ea07077fa7979','say','run_19d248c2ea08ad9055b8a',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248c2ea0c146bd4b6b','ask','run_19d248c2ea0d295a38212',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248c2ea0d6fa6bdea1','try','run_19d248c2ea0c3f28dcca3',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248c2ea18458b9ff1c','lane','run_19d248c2ea1dd2619b3a6',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248c2ea2c61cfa0a89','lane','run_19d248c2ea2a83fad4a46',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248c2ea3afffc010cc','lane','run_19d248c2ea3fcdd2a6058',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_19d248c2ea3fe71afde10','say','run_19d248c2ea3e8adf29c74',NULL,0);
INSERT INTO revisions (id, flow, source, calls) VALUES ('a98a85cc36c1ff91c567929f4c510296580b5c163d9e0d8a5e8ef2db9c25e30d','ask','"flow: ask\ntrigger: {uses: test.ping}\nsteps:\n\n- id: ask\n  approve:\n    title: Greet ${{ trigger.name ?? ''x'' }}?\n    timeout: 1d\n- {id: after, if: steps.ask.approved, uses: test.say, with: {text: \"to ${{ trigger.name ?? ''x'' }}\"}}\n\n"','{}');
INSERT INTO revisions (id, flow, source, calls) VALUES ('3241003d67b135fd3de5844a27f636c8edc2c7bba4c7403f8dac468c2b2ebd0a','say','"flow: say\ntrigger: {uses: test.ping}\nsteps:\n\n- {id: first, uses: test.say, with: {text: \"${{ trigger.name ?? ''x'' }}\"}}\n\n"','{}');
INSERT INTO revisions (id, flow, source, calls) VALUES ('01ff40f394f045f9529ceb20aedb643962a10be6be304db6d55a149868b133c3','try','"flow: try\ntrigger: {uses: test.ping}\nsteps:\n\n- {id: first, uses: test.put, with: {text: \"${{ trigger.name ?? ''x'' }}\"}, retry: {delay: 10m, max_delay: 10m}}\n\n"','{}');
INSERT INTO revisions (id, flow, source, calls) VALUES ('ae6919703d0f23952e094f9d1beba985bc27d06bb5c116d9b037195a901d9816','lane','"flow: lane\ntrigger: {uses: test.ping}\nsteps:\n\n- id: ask\n  approve:\n    title: Greet ${{ trigger.name ?? ''x'' }}?\n    timeout: 1d\n- {id: after, if: steps.ask.approved, uses: test.say, with: {text: \"to ${{ trigger.name ?? ''x'' }}\"}}\n\nconcurrency: {key: ''''''one'''''', limit: 1}"','{}');
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248b444094255b6ee8','ask','a98a85cc36c1ff91c567929f4c510296580b5c163d9e0d8a5e8ef2db9c25e30d','evt_19d248b4440db9cbd426a','{"name": "done", "at": "2026-03-25T10:30:00Z", "anything": null}','succeeded',2,'2026-03-25T10:30:00.000000Z','2026-03-25T10:30:00.000000Z','2026-03-25T10:31:00.000000Z',NULL,NULL,NULL,0,0,0.0,NULL,NULL,NULL);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248c2ea0d295a38212','ask','a98a85cc36c1ff91c567929f4c510296580b5c163d9e0d8a5e8ef2db9c25e30d','evt_19d248c2ea0c146bd4b6b','{"name": "waits", "at": "2026-03-25T10:31:00Z", "anything": null}','waiting',1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z',NULL,'2026-03-26T10:31:00.000000Z',NULL,NULL,0,0,0.0,NULL,NULL,NULL);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248c2ea08ad9055b8a','say','3241003d67b135fd3de5844a27f636c8edc2c7bba4c7403f8dac468c2b2ebd0a','evt_19d248c2ea07077fa7979','{"name": "held \u0000 \ud800 \u00e9", "at": "2026-03-25T10:31:00Z", "anything": null}','held',1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z',NULL,NULL,NULL,'{"step": "first", "action": "test.say", "message": "500 after it went out", "kind": "server", "attempts": 1}',0,0,0.0,NULL,NULL,NULL);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248c2ea0c3f28dcca3','try','01ff40f394f045f9529ceb20aedb643962a10be6be304db6d55a149868b133c3','evt_19d248c2ea0d6fa6bdea1','{"name": "again", "at": "2026-03-25T10:31:00Z", "anything": null}','waiting',1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z',NULL,'2026-03-25T10:32:28.559055Z',NULL,NULL,0,0,0.0,NULL,NULL,NULL);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248c2ea1dd2619b3a6','lane','ae6919703d0f23952e094f9d1beba985bc27d06bb5c116d9b037195a901d9816','evt_19d248c2ea18458b9ff1c','{"name": "lane 1", "at": "2026-03-25T10:31:00.001000Z", "anything": null}','queued',0,'2026-03-25T10:31:00.001000Z',NULL,NULL,NULL,NULL,NULL,0,0,0.0,NULL,'"one"',1);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248c2ea2a83fad4a46','lane','ae6919703d0f23952e094f9d1beba985bc27d06bb5c116d9b037195a901d9816','evt_19d248c2ea2c61cfa0a89','{"name": "lane 2", "at": "2026-03-25T10:31:00.002000Z", "anything": null}','queued',0,'2026-03-25T10:31:00.002000Z',NULL,NULL,NULL,NULL,NULL,0,0,0.0,NULL,'"one"',1);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248c2ea3fcdd2a6058','lane','ae6919703d0f23952e094f9d1beba985bc27d06bb5c116d9b037195a901d9816','evt_19d248c2ea3afffc010cc','{"name": "lane 3", "at": "2026-03-25T10:31:00.003000Z", "anything": null}','queued',0,'2026-03-25T10:31:00.003000Z',NULL,NULL,NULL,NULL,NULL,0,0,0.0,NULL,'"one"',1);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill, worked, reason, lane, lane_limit) VALUES ('run_19d248c2ea3e8adf29c74','say','3241003d67b135fd3de5844a27f636c8edc2c7bba4c7403f8dac468c2b2ebd0a','evt_19d248c2ea3fe71afde10','{"name": "queued", "at": "2026-03-25T10:31:00.003000Z", "anything": null}','queued',0,'2026-03-25T10:31:00.003000Z',NULL,NULL,NULL,NULL,NULL,0,0,0.0,NULL,NULL,NULL);
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at, wake_at) VALUES ('run_19d248b444094255b6ee8','after','test.say','succeeded','{"text": "to done"}','{"text": "say to done"}',NULL,NULL,1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z',NULL);
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at, wake_at) VALUES ('run_19d248b444094255b6ee8','ask','approve','succeeded','{"title": "Greet done?", "form": {}}','{"approved": true, "by": "ann", "at": "2026-03-25T10:31:00Z"}',NULL,NULL,0,'2026-03-25T10:30:00.000000Z','2026-03-25T10:31:00.000000Z',NULL);
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at, wake_at) VALUES ('run_19d248c2ea08ad9055b8a','first','test.say','held','{"text": "held \u0000 \ud800 \u00e9"}',NULL,NULL,'{"step": "first", "action": "test.say", "message": "500 after it went out", "kind": "server", "attempts": 1}',1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z',NULL);
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at, wake_at) VALUES ('run_19d248c2ea0c3f28dcca3','first','test.put','waiting','{"text": "again"}',NULL,NULL,'{"step": "first", "action": "test.put", "message": "503", "kind": "server", "attempts": 1}',1,'2026-03-25T10:31:00.000000Z',NULL,'2026-03-25T10:32:28.559055Z');
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at, wake_at) VALUES ('run_19d248c2ea0d295a38212','ask','approve','waiting','{"title": "Greet waits?", "form": {}}',NULL,NULL,NULL,0,'2026-03-25T10:31:00.000000Z',NULL,'2026-03-26T10:31:00.000000Z');
INSERT INTO answers (run_id, step, approved, by, at, form) VALUES ('run_19d248b444094255b6ee8','ask',1,'ann','2026-03-25T10:31:00.000000Z','{}');
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_19d248b444094255b6ee8','after',1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z',NULL);
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_19d248c2ea08ad9055b8a','first',1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z','"500 after it went out"');
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_19d248c2ea0c3f28dcca3','first',1,'2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z','2026-03-25T10:31:00.000000Z','"503"');
