// Polls: what is new in the lists, and what a person chooses from.
'use strict';

const { triggers, choices, actions } = require('./definitions.json');
const { isGiven } = require('./account');
const { perform } = require('./actions');
const { PAGE, hasTime, timeOf } = require('./finding');

const REQUESTS = 60; // of one poll: others use the key too, and Zapier ends a poll after 30 s
const WHOLE = 500; // items that are read of a list in any order
const CHOICE_PAGES = 4;
const SURE = 400; // items of a list that stays below WHOLE whatever comes
const OLDEST = 7 * 86400 * 1000; // ms

// What one poll asks.
class Poll {
  constructor(z, bundle, definition) {
    Object.assign(this, { z, bundle, definition, left: REQUESTS });
  }

  async ask(key, input) {
    if (!this.left) {
      const sentence = `one poll asks ChatForge ${REQUESTS} times at most, and the ${this.definition.list} of this account need more; choose one agent`;
      throw new this.z.errors.Error(sentence, 'TooMany');
    }
    this.left -= 1;
    return perform(this.z, this.bundle, key, input);
  }

  async agents() {
    const { agent_id: chosen } = this.bundle.inputData;
    return isGiven(chosen) ? [chosen] : (await this.ask('list_agents', {})).agents.map((agent) => agent.id);
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
    return typeof id === 'string' && id.trim() ? id : `unreadable-${this.z.hash('sha256', JSON.stringify({ id, ...rest }))}`;
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
    return total > SURE ? this.withoutOld(found) : found;
  }

  // Where others were deleted, something old may come into view that was never new to Zapier.
  withoutOld(found) {
    const { isLoadingSample, isPopulatingDedupe } = this.bundle.meta || {};
    if (isLoadingSample || isPopulatingDedupe) return found;
    return new Map([...found].filter(([, item]) => !hasTime(item) || timeOf(item.created_at) > Date.now() - OLDEST));
  }

  shape(id, item, agentId) {
    const { from, constants, or_now: orNow } = this.definition;
    const output = { id, ...constants, agent_id: agentId };
    for (const [name, field] of Object.entries(from)) {
      const missing = orNow.includes(name) ? new Date().toISOString() : null;
      output[name] = item[field] === undefined || item[field] === null ? missing : item[field];
    }
    return output;
  }

  async run() {
    const outputs = [];
    for (const agentId of await this.agents()) {
      for (const [id, item] of await this.items(agentId)) outputs.push([item, this.shape(id, item, agentId)]);
    }
    const age = ([item]) => (hasTime(item) ? timeOf(item.created_at) : Infinity);
    return outputs.sort((one, other) => age(other) - age(one) || 0).map(([, output]) => output);
  }
}

const poll = (key, definition) => ({
  key,
  noun: definition.noun,
  display: { label: definition.title, description: definition.description },
  operation: {
    type: 'polling',
    inputFields: definition.input,
    perform: (z, bundle) => new Poll(z, bundle, definition).run(),
    sample: definition.sample,
    outputFields: definition.output,
  },
});

// Hidden: it lists what a person chooses from for an input. `cursor` is the input that gets the next page.
const choose = (key, { action, noun, items, label, value, cursor, needs }) => {
  const run = async (z, bundle) => {
    const input = Object.fromEntries(needs.map((name) => [name, bundle.inputData[name]]));
    for (const name of needs) {
      if (!isGiven(input[name])) throw new z.errors.HaltedError(`choose ${name} first: what there is to choose from depends on it`);
    }
    const found = [];
    for (let page = 0; page < CHOICE_PAGES; page += 1) {
      const output = await perform(z, bundle, action, input);
      found.push(...output[items]);
      if (!cursor || !isGiven(output[`next_${cursor}`])) break;
      input[cursor] = output[`next_${cursor}`];
    }
    return found.map((item) => ({ ...item, [label]: item[label] || item[value] }));
  };
  const [sample] = actions[action].sample[items];
  const display = { label: actions[action].title, description: actions[action].description, hidden: true };
  return { key, noun, display, operation: { type: 'polling', perform: run, sample } };
};

const map = (definitions, make) =>
  Object.fromEntries(Object.entries(definitions).map(([key, definition]) => [key, make(key, definition)]));

module.exports = { triggers: { ...map(triggers, poll), ...map(choices, choose) } };
