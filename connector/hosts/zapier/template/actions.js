// What the actions do: those of one request by definitions.json, the others here.
'use strict';

const { actions } = require('./definitions.json');
const { base } = require('./account');

const PAGE = 50;
const PAGES = 5;
const BEGAN_TOLERANCE = 60 * 1000;
const CAPTURE_TOLERANCE = 10 * 60 * 1000;

const isGiven = (value) => value !== undefined && value !== null && value !== '';

// The template with the inputs in their places; what is not given is left out.
const fill = (template, input) => {
  const filled = {};
  for (const [name, part] of Object.entries(template || {})) {
    const value = part && typeof part === 'object' ? input[part.input] : part;
    if (isGiven(value)) filled[name] = value;
  }
  return filled;
};

const send = async (z, request, input) => {
  const { method, query, body } = request;
  const options = { method, url: base(z.bundle), params: fill(query, input) };
  if (body) {
    options.body = JSON.stringify(fill(body, input));
    options.headers = { 'Content-Type': 'application/json' };
  }
  const response = await z.request(options);
  return response.content ? response.json : {};
};

const ask = (z, key, input) => send(z, actions[key].request, input);

// As the connector gives it: an agent bare or below `agent`, and where the next page begins.
const shape = (key, input, output) => {
  if (key === 'delete_agent') return { deleted: true };
  if (key.endsWith('_agent') && !('agent' in output)) return { agent: output };
  const list = output.conversations || output.leads;
  if (list) return { ...output, next_offset: list.length ? Number(input.offset || 0) + list.length : null };
  return output;
};

// All entries of a list, a page at a time, at most `pages`; only an empty page is its end.
const walk = async (z, key, agentId, name, pages) => {
  const found = new Map();
  for (let page = 0, offset = 0; page < pages; page += 1) {
    const items = (await ask(z, key, { agent_id: agentId, limit: PAGE, offset }))[name];
    if (!items.length) return { items: [...found.values()], complete: true };
    for (const item of items) found.set(item.id, item);
    offset += items.length;
  }
  return { items: [...found.values()], complete: false };
};

const fold = (text) => (text || '').trim().toLowerCase();
const sameEmail = (actual, wanted) => !isGiven(wanted) || fold(actual) === fold(wanted);
const equal = (...pairs) => pairs.every(([wanted, actual]) => !isGiven(wanted) || wanted === actual);
const newest = (items) => items.reduce((best, item) => (best && best.created_at >= item.created_at ? best : item), null);

const isWanted = (item, wanted) =>
  item.lead_captured === true &&
  (!isGiven(wanted.captured_at) || Date.parse(item.created_at) <= Date.parse(wanted.captured_at) + BEGAN_TOLERANCE) &&
  sameEmail(item.visitor_email, wanted.visitor_email) &&
  equal([wanted.visitor_name, item.visitor_name], [wanted.page_url, item.page_url]);

const isMeant = (item, wanted) =>
  (!isGiven(wanted.captured_at) ||
    Math.abs(Date.parse(item.created_at) - Date.parse(wanted.captured_at)) <= CAPTURE_TOLERANCE) &&
  sameEmail(item.visitor_email, wanted.visitor_email) &&
  equal(
    [wanted.lead_id, item.id],
    [wanted.visitor_phone, item.visitor_phone],
    [wanted.visitor_name, item.visitor_name],
    [wanted.page_url, item.source_page_url],
  );

const requireEnough = (z, wanted, names) => {
  const together = ['visitor_name', 'page_url', 'captured_at'];
  if (names.some((name) => isGiven(wanted[name])) || together.every((name) => isGiven(wanted[name]))) return;
  throw new z.errors.HaltedError(`give ${names.join(' or ')}, or visitor_name, page_url and captured_at together`);
};

const composed = {
  find_conversation: async (z, wanted) => {
    requireEnough(z, wanted, ['visitor_email']);
    const pages = Number(wanted.max_pages) || PAGES;
    const { items, complete } = await walk(z, 'list_conversations', wanted.agent_id, 'conversations', pages);
    const matching = items.filter((item) => isWanted(item, wanted));
    return { conversation: newest(matching), candidates: matching.length, complete };
  },
  find_lead: async (z, wanted) => {
    requireEnough(z, wanted, ['lead_id', 'visitor_email', 'visitor_phone']);
    const pages = Number(wanted.max_pages) || PAGES;
    const { items, complete } = await walk(z, 'list_leads', wanted.agent_id, 'leads', pages);
    return { lead: newest(items.filter((item) => isMeant(item, wanted))), complete };
  },
  upsert_agent: async (z, wanted) => {
    const same = (await ask(z, 'list_agents', {})).agents.filter((agent) => agent.name === wanted.name);
    if (same.length > 1) {
      throw new z.errors.HaltedError(`${same.length} agents are called '${wanted.name}'; rename all but one`);
    }
    if (same.length) {
      const changed = await ask(z, 'update_agent', { ...wanted, agent_id: same[0].id });
      return { ...shape('update_agent', wanted, changed), created: false };
    }
    const made = shape('create_agent', wanted, await ask(z, 'create_agent', wanted));
    if (!isGiven(wanted.active) || wanted.active === made.agent.active) return { ...made, created: true };
    const changed = await ask(z, 'update_agent', { agent_id: made.agent.id, active: wanted.active });
    return { ...shape('update_agent', wanted, changed), created: true };
  },
};

// z knows the bundle only where it is handed over.
const perform = async (z, key, input, bundle) => {
  const withBundle = Object.assign(Object.create(z), { bundle });
  if (composed[key]) return composed[key](withBundle, input);
  return shape(key, input, await ask(withBundle, key, input));
};

module.exports = { perform, walk };
