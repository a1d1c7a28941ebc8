// What the actions do: most send one request, which definitions.json has; the others are put together here.
'use strict';

const { actions } = require('./definitions.json');
const { isGiven } = require('./client');
const { PAGE, Search, newest, timeOf } = require('./finding');

const BEGAN_TOLERANCE = 60 * 1000; // ms
const CAPTURE_TOLERANCE = 10 * 60 * 1000; // ms
const LOOK_AGAIN = 2000; // ms
const UNITS = { ms: 1, s: 1000, m: 60 * 1000, h: 3600 * 1000, d: 86400 * 1000 };

// As the connector gives it: an agent below `agent`, and where the next page begins.
const shape = (key, input, answer) => {
  if (key === 'delete_agent') return { deleted: true };
  if (key.endsWith('_agent') && !('agent' in answer)) return { agent: answer };
  const list = answer.conversations || answer.leads;
  if (Array.isArray(list)) return { ...answer, next_offset: list.length ? Number(input.offset || 0) + list.length : null };
  return answer;
};

const send = async (client, key, input) => {
  const output = shape(key, input, await client.ask(key, input));
  for (const name of actions[key].always) {
    const fits = Array.isArray(actions[key].sample[name]) ? Array.isArray(output[name]) : name in output;
    if (!fits) {
      const sentence = `the answer from ChatForge does not fit: ${name} is missing; see whether a newer release knows it`;
      throw client.fail('OutputError', sentence);
    }
  }
  return output;
};

const says = (text) => isGiven(text) && String(text).trim() !== '';
const fold = (text) => (text || '').trim().toLowerCase().toUpperCase(); // ß is SS, as ss is
const isSameEmail = (actual, wanted) => !says(wanted) || fold(actual) === fold(wanted);
const areEqual = (...pairs) => pairs.every(([wanted, actual]) => !says(wanted) || wanted === actual);

// False also where the item has no time.
const isWithin = (item, wanted, earliest, latest) => {
  if (!isGiven(wanted.captured_at)) return true;
  const distance = timeOf(item.created_at) - timeOf(wanted.captured_at);
  return distance >= earliest && distance <= latest;
};

const isWanted = (item, wanted) =>
  item.lead_captured === true &&
  isWithin(item, wanted, -Infinity, BEGAN_TOLERANCE) &&
  isSameEmail(item.visitor_email, wanted.visitor_email) &&
  areEqual([wanted.visitor_name, item.visitor_name], [wanted.page_url, item.page_url]);

const isMeant = (item, wanted) =>
  isWithin(item, wanted, -CAPTURE_TOLERANCE, CAPTURE_TOLERANCE) &&
  isSameEmail(item.visitor_email, wanted.visitor_email) &&
  areEqual(
    [wanted.lead_id, item.id],
    [wanted.visitor_phone, item.visitor_phone],
    [wanted.visitor_name, item.visitor_name],
    [wanted.page_url, item.source_page_url],
  );

const waitOf = (client, text) => {
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text || '0s') || [];
  if (!unit) throw client.fail('InputError', `wait_up_to is '${text}'; expected a duration such as 500ms or 20s`);
  return Math.min(Number(amount) * UNITS[unit], client.platform.longestWait);
};

// Looks once, and again until something is found or `wait_up_to` has passed.
const find = async (client, wanted, name, matches) => {
  const { agent_id, max_pages: pages } = wanted;
  const end = Date.now() + waitOf(client, wanted.wait_up_to);
  const source = {
    page: async (offset) => (await send(client, `list_${name}`, { agent_id, limit: PAGE, offset }))[name],
    count: async () => {
      const total = ((await send(client, 'get_analytics', { agent_id }))[name] || {}).total;
      return Number.isInteger(total) ? total : null;
    },
  };
  for (;;) {
    const search = new Search(source, matches, Number(pages) || 5, says(wanted.lead_id));
    const found = await search.run();
    const left = end - Date.now();
    if (found.items.length || left <= 0) return found;
    await client.platform.pause(Math.min(LOOK_AGAIN, left));
  }
};

const haltUnless = (client, key, isEnough) => {
  if (!isEnough) throw client.fail('InputError', actions[key].incomplete);
};

const knows = (wanted, names) =>
  names.some((name) => says(wanted[name])) ||
  (says(wanted.visitor_name) && says(wanted.page_url) && isGiven(wanted.captured_at));

const composed = {
  find_conversation: async (client, wanted) => {
    haltUnless(client, 'find_conversation', knows(wanted, ['visitor_email']));
    const { items, complete } = await find(client, wanted, 'conversations', (item) => isWanted(item, wanted));
    return { conversation: newest(items), candidates: items.length, complete };
  },
  find_lead: async (client, wanted) => {
    haltUnless(client, 'find_lead', knows(wanted, ['lead_id', 'visitor_email', 'visitor_phone']));
    const { items, complete } = await find(client, wanted, 'leads', (item) => isMeant(item, wanted));
    return { lead: newest(items), complete };
  },
  update_agent: async (client, wanted) => {
    haltUnless(client, 'update_agent', Object.entries(wanted).some(([name, value]) => name !== 'agent_id' && isGiven(value)));
    return send(client, 'update_agent', wanted);
  },
  upsert_agent: async (client, wanted) => {
    const same = (await send(client, 'list_agents', {})).agents.filter((agent) => agent.name === wanted.name);
    if (same.length > 1) {
      const ids = same.slice(0, 5).map((agent) => agent.id).join(', ');
      const sentence = `${same.length} agents are called '${wanted.name}' (${ids}); rename all but one, or use update_agent with an id`;
      throw client.fail('InputError', sentence);
    }
    if (same.length) return { ...(await send(client, 'update_agent', { ...wanted, agent_id: same[0].id })), created: false };
    const made = await send(client, 'create_agent', wanted);
    if (!isGiven(wanted.active) || wanted.active === made.agent.active) return { ...made, created: true };
    const switched = { agent_id: made.agent.id, active: wanted.active };
    return { ...(await send(client, 'update_agent', switched)), created: true };
  },
};

// The output of an action.
const perform = (client, key, input) => (composed[key] ? composed[key](client, input) : send(client, key, input));

module.exports = { perform };
