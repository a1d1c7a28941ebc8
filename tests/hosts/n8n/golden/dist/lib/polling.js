// Polls: what is new in the lists, and what a person chooses from.
'use strict';

const { createHash } = require('node:crypto');
const { isGiven } = require('./client');
const { perform } = require('./actions');
const { PAGE, hasTime, timeOf } = require('./finding');
const { shape } = require('./shaping');

const REQUESTS = 60; // of one poll: others use the key too, and some platforms end a poll after 30 s
const WHOLE = 500; // items that are read of a list in any order
const CHOICE_PAGES = 4;
const SURE = 400; // items of a list that stays below WHOLE whatever comes
const OLDEST = 7 * 86400 * 1000; // ms

const digestOf = (value) => createHash('sha256').update(JSON.stringify(value)).digest('hex');

// What one poll asks: of one agent, or of all. `withOld` gives all that is seen, to be remembered and not told.
class Poll {
  constructor(client, definition, agentId, withOld = false) {
    Object.assign(this, { client, definition, agentId, withOld, left: REQUESTS });
  }

  async ask(key, input) {
    if (!this.left) {
      const sentence = `one poll asks ChatForge ${REQUESTS} times at most, and the ${this.definition.list} of this account need more; choose one agent`;
      throw this.client.fail('TooMany', sentence);
    }
    this.left -= 1;
    return perform(this.client, key, input);
  }

  async agents() {
    return isGiven(this.agentId) ? [this.agentId] : (await this.ask('list_agents', {})).agents.map((agent) => agent.id);
  }

  page(agentId, offset) {
    const { list } = this.definition;
    return this.ask(`list_${list}`, { agent_id: agentId, limit: PAGE, offset }).then((output) => output[list]);
  }

  async count(agentId) {
    const counts = (await this.ask('get_analytics', { agent_id: agentId }))[this.definition.list];
    return (counts && counts.total) || 0;
  }

  // Puts what stands from `offset` on into `found`, until an empty page: only that is the end, which is returned.
  async walk(agentId, offset, found, end = Infinity) {
    for (let at = offset; at < end; ) {
      const items = await this.page(agentId, at);
      const known = found.size;
      for (const item of items) found.set(this.idOf(item), item);
      if (found.size === known) return at; // nothing, or the same again, as where `offset` has no effect
      at += items.length;
    }
    return null;
  }

  // An entry without an id gets one that tells it from others, so that it is not lost.
  idOf({ id, ...rest }) {
    return typeof id === 'string' && id.trim() ? id : `unreadable-${digestOf({ id, ...rest })}`;
  }

  // In which order a list is, ChatForge does not say: a short one is read whole, of a longer one both ends.
  async items(agentId) {
    const found = new Map();
    if ((await this.walk(agentId, 0, found, 1)) !== null) return found;
    const first = found.size;
    if ((await this.walk(agentId, first, found, first + 1)) !== null) return found;
    const total = await this.count(agentId);
    const tail = total - 2 * PAGE;
    if (total <= WHOLE || (await this.walk(agentId, tail, found)) === tail) await this.walk(agentId, found.size, found);
    return total > SURE && !this.withOld ? this.withoutOld(found) : found;
  }

  // Where others were deleted, something old may come into view that was never new.
  withoutOld(found) {
    return new Map([...found].filter(([, item]) => !hasTime(item) || timeOf(item.created_at) > Date.now() - OLDEST));
  }

  shape(agentId, item) {
    return shape(this.definition, { agent_id: agentId, [this.definition.entry]: item });
  }

  // The outputs, newest first, each with an `id` that never changes.
  async run() {
    const outputs = [];
    for (const agentId of await this.agents()) {
      for (const [id, item] of await this.items(agentId)) outputs.push([item, { id, ...this.shape(agentId, item) }]);
    }
    const age = ([item]) => (hasTime(item) ? timeOf(item.created_at) : Infinity);
    return outputs.sort((one, other) => age(other) - age(one) || 0).map(([, output]) => output);
  }
}

// What a person chooses from for an input: [{…, label}] of some pages from `cursor` on, and where the next one begins.
const choose = async (client, { action, items, label, value, cursor, needs }, given, from = null) => {
  const input = Object.fromEntries(needs.map((name) => [name, given[name]]));
  for (const name of needs) {
    if (!isGiven(input[name])) throw client.fail('InputError', `choose ${name} first: what there is to choose from depends on it`);
  }
  const found = [];
  let next = from;
  for (let page = 0; page < CHOICE_PAGES; page += 1) {
    const output = await perform(client, action, cursor && isGiven(next) ? { ...input, [cursor]: next } : input);
    found.push(...output[items]);
    next = (cursor && output[`next_${cursor}`]) || null;
    if (next === null) break;
  }
  return { found: found.map((item) => ({ ...item, [label]: item[label] || item[value] })), next };
};

module.exports = { Poll, choose };
