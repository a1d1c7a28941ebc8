-- Made by chatforge serve of 2026-11-25 and its sandbox; the server was stopped while it worked.
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
    source TEXT NOT NULL
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
    UNIQUE (flow, event_id),
    CHECK ((status = 'waiting') = (wake_at IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
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
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source) VALUES ('evt_1a215e2e16305ddb1fe83','chatforge','default','9193ca86f32605038744e046d0a5cd3ca6f608db8f4b21f2b7c58148b0aa2914','"lead.captured"','2026-11-26T03:25:19.000000Z','2026-11-26T03:25:20.099116Z','accepted','"{\"event\":\"lead.captured\",\"agent_id\":\"00000000-0000-4000-8000-000000000001\",\"timestamp\":\"2026-11-26T03:25:19Z\",\"data\":{\"visitor_name\":\"Ann\",\"visitor_email\":\"ann@example.com\",\"visitor_phone\":null,\"conversation_summary\":null,\"page_url\":null}}"','webhook');
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source) VALUES ('evt_1a215e2f04fd862c48136','chatforge','default','lead:b56bad9e-9ea2-499e-b883-cd3234af1b9a','"lead.listed"','2026-11-26T03:25:19.000000Z','2026-11-26T03:25:23.919778Z','accepted','"{\"agent_id\": \"00000000-0000-4000-8000-000000000001\", \"lead\": {\"id\": \"b56bad9e-9ea2-499e-b883-cd3234af1b9a\", \"visitor_name\": \"Ann\", \"visitor_email\": \"ann@example.com\", \"visitor_phone\": null, \"conversation_summary\": null, \"source_page_url\": null, \"created_at\": \"2026-11-26T03:25:19Z\"}}"','poll');
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source) VALUES ('evt_1a215e2f1f812f58c79f7','chatforge','default','6d4e4a51b32e0be9e329beb093c96a5be478989305180420ee1a4baee7c9f006','"lead.captured"','2026-11-26T03:25:24.000000Z','2026-11-26T03:25:24.344349Z','accepted','"{\"event\":\"lead.captured\",\"agent_id\":\"00000000-0000-4000-8000-000000000001\",\"timestamp\":\"2026-11-26T03:25:24Z\",\"data\":{\"visitor_name\":\"Held\\u0000\u00e9\",\"visitor_email\":\"held@example.com\",\"visitor_phone\":null,\"conversation_summary\":null,\"page_url\":null}}"','webhook');
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source) VALUES ('evt_1a215e307d47923cda979','chatforge','default','lead:3bb03f62-46f7-4f41-9c1f-b0bdab9e0e11','"lead.listed"','2026-11-26T03:25:24.000000Z','2026-11-26T03:25:29.940020Z','accepted','"{\"agent_id\": \"00000000-0000-4000-8000-000000000001\", \"lead\": {\"id\": \"3bb03f62-46f7-4f41-9c1f-b0bdab9e0e11\", \"visitor_name\": \"Held\\u0000\\u00e9\", \"visitor_email\": \"held@example.com\", \"visitor_phone\": null, \"conversation_summary\": null, \"source_page_url\": null, \"created_at\": \"2026-11-26T03:25:24Z\"}}"','poll');
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source) VALUES ('evt_1a215e308b6b06c697846','chatforge','default','d1b48db71a1b85db15709b27e8345785cc8e7c4c4d2eeba4e5ef9ed382135f96','"lead.captured"','2026-11-26T03:25:30.000000Z','2026-11-26T03:25:30.166757Z','accepted','"{\"event\":\"lead.captured\",\"agent_id\":\"00000000-0000-4000-8000-000000000001\",\"timestamp\":\"2026-11-26T03:25:30Z\",\"data\":{\"visitor_name\":null,\"visitor_email\":\"waits@example.com\",\"visitor_phone\":null,\"conversation_summary\":null,\"page_url\":null}}"','webhook');
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source) VALUES ('evt_1a215e31f42c6d0e52cf9','chatforge','default','lead:66fca25e-4f04-496e-bf7f-de0f99552854','"lead.listed"','2026-11-26T03:25:30.000000Z','2026-11-26T03:25:35.938412Z','accepted','"{\"agent_id\": \"00000000-0000-4000-8000-000000000001\", \"lead\": {\"id\": \"66fca25e-4f04-496e-bf7f-de0f99552854\", \"visitor_name\": null, \"visitor_email\": \"waits@example.com\", \"visitor_phone\": null, \"conversation_summary\": null, \"source_page_url\": null, \"created_at\": \"2026-11-26T03:25:30Z\"}}"','poll');
INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, source) VALUES ('evt_1a215e31ff0851a9187eb','chatforge','default','cb6b24f332b9101554dc49986e217675e226c41646314755e926c24a5a8cc315','"lead.captured"','2026-11-26T03:25:36.000000Z','2026-11-26T03:25:36.112941Z','accepted','"{\"event\":\"lead.captured\",\"agent_id\":\"00000000-0000-4000-8000-000000000001\",\"timestamp\":\"2026-11-26T03:25:36Z\",\"data\":{\"visitor_name\":null,\"visitor_email\":\"cut@example.com\",\"visitor_phone\":null,\"conversation_summary\":null,\"page_url\":null}}"','webhook');
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_1a215e2e16305ddb1fe83','lead-to-crm',NULL,'"it is ''b56bad9e-9ea2-499e-b883-cd3234af1b9a'' of the list, which is told of by itself"',0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_1a215e2f04fd862c48136','lead-to-crm','run_1a215e2f04facbd1e3ddc',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_1a215e2f1f812f58c79f7','lead-to-crm',NULL,'"it is ''3bb03f62-46f7-4f41-9c1f-b0bdab9e0e11'' of the list, which is told of by itself"',0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_1a215e307d47923cda979','lead-to-crm','run_1a215e307d441830aee1d',NULL,0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_1a215e308b6b06c697846','lead-to-crm',NULL,'"it is ''66fca25e-4f04-496e-bf7f-de0f99552854'' of the list, which is told of by itself"',0);
INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES ('evt_1a215e31f42c6d0e52cf9','lead-to-crm','run_1a215e31f4216b3554df8',NULL,0);
INSERT INTO dedupe (flow, key, started_at, run_id) VALUES ('lead-to-crm','"ann@example.com"','2026-11-26T03:25:23.919778Z','run_1a215e2f04facbd1e3ddc');
INSERT INTO dedupe (flow, key, started_at, run_id) VALUES ('lead-to-crm','"held@example.com"','2026-11-26T03:25:29.940020Z','run_1a215e307d441830aee1d');
INSERT INTO dedupe (flow, key, started_at, run_id) VALUES ('lead-to-crm','"waits@example.com"','2026-11-26T03:25:35.938412Z','run_1a215e31f4216b3554df8');
INSERT INTO revisions (id, flow, source) VALUES ('ca60ab31cf1d20aa9e322586fb0b2964f67f56acf33e75691f3cf5c7addfa4b5','lead-to-crm','"flow: lead-to-crm\ndescription: A new chat lead becomes a CRM contact, and a first-time lead is greeted by a person.\n\ntrigger:\n  uses: chatforge.lead_captured\n  if: trigger.visitor_email != null # below this line visitor_email is str, not str | null\n\ndedupe: {key: trigger.visitor_email.lower(), for: 1d}\n\nsteps:\n  - id: contact\n    uses: contacts.upsert\n    with:\n      email: ${{ trigger.visitor_email }}\n      name: ${{ trigger.visitor_name ?? trigger.visitor_email }}\n      phone: ${{ trigger.visitor_phone }}\n      note: ${{ trigger.conversation_summary }}\n    retry: {max_attempts: 6, delay: 2s, max_delay: 5m}\n    timeout: 30s\n\n  - id: chat\n    uses: chatforge.find_conversation\n    with:\n      agent_id: ${{ trigger.agent_id }}\n      visitor_email: ${{ trigger.visitor_email }}\n      captured_at: ${{ trigger.captured_at }}\n\n  - id: takeover\n    if: steps.contact.created && steps.chat.conversation != null\n    not_after: add_duration(trigger.captured_at, ''15m'') # nobody is greeted an hour late\n    uses: chatforge.inject_message\n    with:\n      agent_id: ${{ trigger.agent_id }}\n      conversation_id: ${{ steps.chat.conversation.id }}\n      content: >-\n        Hi ${{ trigger.visitor_name ?? ''there'' }}, this is Cal jumping in. How can I help?\n\noutputs:\n  contact_id: ${{ steps.contact.id }}\n"');
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill) VALUES ('run_1a215e2f04facbd1e3ddc','lead-to-crm','ca60ab31cf1d20aa9e322586fb0b2964f67f56acf33e75691f3cf5c7addfa4b5','evt_1a215e2f04fd862c48136','{"lead_id": "b56bad9e-9ea2-499e-b883-cd3234af1b9a", "agent_id": "00000000-0000-4000-8000-000000000001", "captured_at": "2026-11-26T03:25:19Z", "visitor_name": "Ann", "visitor_email": "ann@example.com", "visitor_phone": null, "conversation_summary": null, "page_url": null, "source": "poll"}','succeeded',1,'2026-11-26T03:25:23.919778Z','2026-11-26T03:25:23.926206Z','2026-11-26T03:25:24.143014Z',NULL,'{"contact_id": "contact_53cf2293bf8a6b5b"}',NULL,0,0);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill) VALUES ('run_1a215e307d441830aee1d','lead-to-crm','ca60ab31cf1d20aa9e322586fb0b2964f67f56acf33e75691f3cf5c7addfa4b5','evt_1a215e307d47923cda979','{"lead_id": "3bb03f62-46f7-4f41-9c1f-b0bdab9e0e11", "agent_id": "00000000-0000-4000-8000-000000000001", "captured_at": "2026-11-26T03:25:24Z", "visitor_name": "Held\u0000\u00e9", "visitor_email": "held@example.com", "visitor_phone": null, "conversation_summary": null, "page_url": null, "source": "poll"}','held',1,'2026-11-26T03:25:29.940020Z','2026-11-26T03:25:29.944165Z',NULL,NULL,NULL,'{"step": "takeover", "action": "chatforge.inject_message", "message": "ChatForge failed (500: ''Internal Server Error''); it may have carried out the request, so look there before you repeat it", "kind": "server", "attempts": 1}',0,0);
INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, finished_at, wake_at, outputs, error, without_once, backfill) VALUES ('run_1a215e31f4216b3554df8','lead-to-crm','ca60ab31cf1d20aa9e322586fb0b2964f67f56acf33e75691f3cf5c7addfa4b5','evt_1a215e31f42c6d0e52cf9','{"lead_id": "66fca25e-4f04-496e-bf7f-de0f99552854", "agent_id": "00000000-0000-4000-8000-000000000001", "captured_at": "2026-11-26T03:25:30Z", "visitor_name": null, "visitor_email": "waits@example.com", "visitor_phone": null, "conversation_summary": null, "page_url": null, "source": "poll"}','queued',2,'2026-11-26T03:25:35.938412Z','2026-11-26T03:25:35.940694Z',NULL,NULL,NULL,NULL,0,0);
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e2f04facbd1e3ddc','chat','chatforge.find_conversation','succeeded','{"agent_id": "00000000-0000-4000-8000-000000000001", "visitor_email": "ann@example.com", "captured_at": "2026-11-26T03:25:19Z"}','{"conversation": {"id": "66e7a261-8e99-414e-902f-c1caee5a499e", "visitor_email": "ann@example.com", "visitor_name": "Ann", "lead_captured": true, "message_count": 1, "page_url": null, "created_at": "2026-11-26T03:25:19Z"}, "candidates": 1, "complete": true}',NULL,NULL,1,'2026-11-26T03:25:24.118978Z','2026-11-26T03:25:24.131212Z');
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e2f04facbd1e3ddc','contact','contacts.upsert','succeeded','{"email": "ann@example.com", "name": "Ann", "phone": null, "note": null}','{"id": "contact_53cf2293bf8a6b5b", "created": true, "email": "ann@example.com", "phone": null, "name": "Ann"}',NULL,NULL,1,'2026-11-26T03:25:24.010388Z','2026-11-26T03:25:24.118289Z');
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e2f04facbd1e3ddc','takeover','chatforge.inject_message','succeeded','{"agent_id": "00000000-0000-4000-8000-000000000001", "conversation_id": "66e7a261-8e99-414e-902f-c1caee5a499e", "content": "Hi Ann, this is Cal jumping in. How can I help?"}','{"message": {"id": "975997f4-4f3b-4e69-960b-e293a07b5694", "role": "assistant", "content": "Hi Ann, this is Cal jumping in. How can I help?", "created_at": "2026-11-26T03:25:24Z"}}',NULL,NULL,1,'2026-11-26T03:25:24.132023Z','2026-11-26T03:25:24.142272Z');
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e307d441830aee1d','chat','chatforge.find_conversation','succeeded','{"agent_id": "00000000-0000-4000-8000-000000000001", "visitor_email": "held@example.com", "captured_at": "2026-11-26T03:25:24Z"}','{"conversation": {"id": "34251d01-3746-414a-9d94-18878d98d941", "visitor_email": "held@example.com", "visitor_name": "Held\u0000\u00e9", "lead_captured": true, "message_count": 1, "page_url": null, "created_at": "2026-11-26T03:25:24Z"}, "candidates": 1, "complete": true}',NULL,NULL,1,'2026-11-26T03:25:29.986221Z','2026-11-26T03:25:29.994459Z');
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e307d441830aee1d','contact','contacts.upsert','succeeded','{"email": "held@example.com", "name": "Held\u0000\u00e9", "phone": null, "note": null}','{"id": "contact_b8a6e7d034f63a02", "created": true, "email": "held@example.com", "phone": null, "name": "Held\u0000\u00e9"}',NULL,NULL,1,'2026-11-26T03:25:29.944870Z','2026-11-26T03:25:29.978407Z');
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e307d441830aee1d','takeover','chatforge.inject_message','held','{"agent_id": "00000000-0000-4000-8000-000000000001", "conversation_id": "34251d01-3746-414a-9d94-18878d98d941", "content": "Hi Held\u0000\u00e9, this is Cal jumping in. How can I help?"}',NULL,NULL,'{"step": "takeover", "action": "chatforge.inject_message", "message": "ChatForge failed (500: ''Internal Server Error''); it may have carried out the request, so look there before you repeat it", "kind": "server", "attempts": 1}',1,'2026-11-26T03:25:29.998696Z','2026-11-26T03:25:30.007764Z');
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e31f4216b3554df8','chat','chatforge.find_conversation','sending','{"agent_id": "00000000-0000-4000-8000-000000000001", "visitor_email": "waits@example.com", "captured_at": "2026-11-26T03:25:30Z"}',NULL,NULL,NULL,2,'2026-11-26T03:25:35.961125Z',NULL);
INSERT INTO steps (run_id, step, action, status, input, output, reason, error, attempts, started_at, finished_at) VALUES ('run_1a215e31f4216b3554df8','contact','contacts.upsert','succeeded','{"email": "waits@example.com", "name": "waits@example.com", "phone": null, "note": null}','{"id": "contact_3146a252f2e255f3", "created": true, "email": "waits@example.com", "phone": null, "name": "waits@example.com"}',NULL,NULL,1,'2026-11-26T03:25:35.941407Z','2026-11-26T03:25:35.957252Z');
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e2f04facbd1e3ddc','chat',1,'2026-11-26T03:25:24.118978Z','2026-11-26T03:25:24.125007Z','2026-11-26T03:25:24.131212Z',NULL);
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e2f04facbd1e3ddc','contact',1,'2026-11-26T03:25:24.010388Z','2026-11-26T03:25:24.070215Z','2026-11-26T03:25:24.118289Z',NULL);
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e2f04facbd1e3ddc','takeover',1,'2026-11-26T03:25:24.132023Z','2026-11-26T03:25:24.133186Z','2026-11-26T03:25:24.142272Z',NULL);
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e307d441830aee1d','chat',1,'2026-11-26T03:25:29.986221Z','2026-11-26T03:25:29.989372Z','2026-11-26T03:25:29.994459Z',NULL);
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e307d441830aee1d','contact',1,'2026-11-26T03:25:29.944870Z','2026-11-26T03:25:29.949621Z','2026-11-26T03:25:29.978407Z',NULL);
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e307d441830aee1d','takeover',1,'2026-11-26T03:25:29.998696Z','2026-11-26T03:25:30.004262Z','2026-11-26T03:25:30.007764Z','"ChatForge failed (500: ''Internal Server Error''); it may have carried out the request, so look there before you repeat it"');
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e31f4216b3554df8','chat',1,'2026-11-26T03:25:35.961125Z','2026-11-26T03:25:35.966883Z','2026-11-26T03:25:35.969003Z','"ChatForge failed (503: ''Service Unavailable''); it may have carried out the request, so look there before you repeat it"');
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e31f4216b3554df8','chat',2,'2026-11-26T03:25:36.721106Z','2026-11-26T03:25:36.730298Z',NULL,NULL);
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error) VALUES ('run_1a215e31f4216b3554df8','contact',1,'2026-11-26T03:25:35.941407Z','2026-11-26T03:25:35.942365Z','2026-11-26T03:25:35.957252Z',NULL);
INSERT INTO subscriptions (flow, connector, connection, list, watched, started_at, begins_at, page, live_at) VALUES ('lead-to-crm','chatforge','default','leads','["chatforge.lead_captured", "chatforge", "default", "leads", "now", null]','2026-11-26T03:25:19.533442Z','2026-11-26T03:25:18.610630Z',8,'2026-11-26T03:25:35.000000Z');
INSERT INTO polls (id, connector, connection, list, partition, state, walk, swept_walk, clean_walks, page, polled_at, swept_at, alert, failing_since, error, retired_at, due_at, stretch, unwatched_at) VALUES (1,'chatforge','default','leads','"00000000-0000-4000-8000-000000000001"','{"order": null, "cap": 50, "count": null, "head": null, "walk": {"kind": "full", "began": "2026-11-26T03:25:29.935020Z", "offset": 3, "tail": ["66fca25e-4f04-496e-bf7f-de0f99552854", "3bb03f62-46f7-4f41-9c1f-b0bdab9e0e11", "b56bad9e-9ea2-499e-b883-cd3234af1b9a"], "tail_at": 0, "jumped": true, "confirming": false, "repeated": false, "back": 0, "started": true, "lost": 0, "ends": 1, "dirty": false}, "asked": "walk", "headed": false, "number": 3, "swept_at": null, "took": 0.0, "week_at": null, "dirty": 2, "retry_at": "2026-11-26T03:30:27.920781Z", "offset_ignored": true}',3,NULL,'[]',8,'2026-11-26T03:25:35.938412Z',NULL,'ChatForge ignores `offset`: only the first page of this list can be seen; report it to the vendor',NULL,NULL,NULL,'2026-11-26T03:26:36.115162Z',1.0,NULL);
INSERT INTO caught_up (flow, poll_id, walk) VALUES ('lead-to-crm',1,1);
INSERT INTO observed (poll_id, item, version, walk, seen_at, at, facts, event_id) VALUES (1,'"3bb03f62-46f7-4f41-9c1f-b0bdab9e0e11"',0,3,'2026-11-26T03:25:29.940020Z','2026-11-26T03:25:24.000000Z',NULL,'evt_1a215e307d47923cda979');
INSERT INTO observed (poll_id, item, version, walk, seen_at, at, facts, event_id) VALUES (1,'"66fca25e-4f04-496e-bf7f-de0f99552854"',0,3,'2026-11-26T03:25:35.938412Z','2026-11-26T03:25:30.000000Z',NULL,'evt_1a215e31f42c6d0e52cf9');
INSERT INTO observed (poll_id, item, version, walk, seen_at, at, facts, event_id) VALUES (1,'"b56bad9e-9ea2-499e-b883-cd3234af1b9a"',0,3,'2026-11-26T03:25:29.940020Z','2026-11-26T03:25:19.000000Z',NULL,'evt_1a215e2f04fd862c48136');
INSERT INTO arrivals (event_id, connector, connection, list, named, partition, at, facts, item, bound_at) VALUES ('evt_1a215e2e16305ddb1fe83','chatforge','default','leads','"00000000-0000-4000-8000-000000000001"','"00000000-0000-4000-8000-000000000001"','2026-11-26T03:25:19.000000Z','{"at": "2026-11-26T03:25:19+00:00", "email": "ann@example.com", "phone": "", "name": "Ann", "page": ""}','"b56bad9e-9ea2-499e-b883-cd3234af1b9a"','2026-11-26T03:25:23.919778Z');
INSERT INTO arrivals (event_id, connector, connection, list, named, partition, at, facts, item, bound_at) VALUES ('evt_1a215e2f1f812f58c79f7','chatforge','default','leads','"00000000-0000-4000-8000-000000000001"','"00000000-0000-4000-8000-000000000001"','2026-11-26T03:25:24.000000Z','{"at": "2026-11-26T03:25:24+00:00", "email": "held@example.com", "phone": "", "name": "Held\u0000\u00e9", "page": ""}','"3bb03f62-46f7-4f41-9c1f-b0bdab9e0e11"','2026-11-26T03:25:29.940020Z');
INSERT INTO arrivals (event_id, connector, connection, list, named, partition, at, facts, item, bound_at) VALUES ('evt_1a215e308b6b06c697846','chatforge','default','leads','"00000000-0000-4000-8000-000000000001"','"00000000-0000-4000-8000-000000000001"','2026-11-26T03:25:30.000000Z','{"at": "2026-11-26T03:25:30+00:00", "email": "waits@example.com", "phone": "", "name": "", "page": ""}','"66fca25e-4f04-496e-bf7f-de0f99552854"','2026-11-26T03:25:35.938412Z');
INSERT INTO arrivals (event_id, connector, connection, list, named, partition, at, facts, item, bound_at) VALUES ('evt_1a215e31ff0851a9187eb','chatforge','default','leads','"00000000-0000-4000-8000-000000000001"','"00000000-0000-4000-8000-000000000001"','2026-11-26T03:25:36.000000Z','{"at": "2026-11-26T03:25:36+00:00", "email": "cut@example.com", "phone": "", "name": "", "page": ""}',NULL,NULL);
INSERT INTO waiting_starts (event_id, flow, due_at) VALUES ('evt_1a215e31ff0851a9187eb','lead-to-crm','2026-11-26T03:27:36.112941Z');
