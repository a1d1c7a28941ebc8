'use strict';

const { NodeConnectionTypes } = require('n8n-workflow');
const { forms, triggers } = require('../../lib/definitions.json');
const { Poll } = require('../../lib/polling');
const { CREDENTIAL, additionalOf, connect, listSearch } = require('../../lib/platform');

const running = new Set();

// What a poll remembers belongs to one account and filter; with others it begins anew.
const scopeOf = (context, key, agentId) => {
  const { id } = context.getNode().credentials[CREDENTIAL];
  return JSON.stringify([key, id, agentId ?? null]);
};

// What was not there before. The first poll only remembers, so that old entries start nothing.
const pollOnce = async (context, key, agentId) => {
  const memory = context.getWorkflowStaticData('node');
  const scope = scopeOf(context, key, agentId);
  const isFirst = memory.scope !== scope;
  const client = await connect(context, { patience: 0 });
  const found = await new Poll(client, triggers[key], agentId, isFirst).run();
  const known = new Set(isFirst ? [] : memory.ids);
  const fresh = found.filter(({ id }) => !known.has(id));
  if (isFirst) memory.scope = scope;
  if (isFirst || fresh.length) memory.ids = [...known, ...fresh.map(({ id }) => id)];
  return isFirst ? [] : fresh.reverse();
};

class ChatForgePollingTrigger {
  description = {
    displayName: 'ChatForge Polling Trigger',
    name: 'chatForgePollingTrigger',
    icon: 'file:chatforge.svg',
    group: ['trigger'],
    version: 1,
    subtitle: '={{$parameter["trigger"]}}',
    description: 'Starts the workflow for each new lead or conversation; needs no webhook',
    defaults: { name: 'ChatForge Polling Trigger' },
    polling: true,
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: CREDENTIAL, required: true }],
    properties: forms.polled,
  };

  methods = { listSearch };

  async poll() {
    const key = this.getNodeParameter('trigger');
    const { agent_id: agentId } = additionalOf(this.getNodeParameter('additional', {}));
    if (this.getMode() === 'manual') {
      const client = await connect(this, { patience: 0 });
      const [newest] = await new Poll(client, triggers[key], agentId, true).run();
      return newest ? [[{ json: newest }]] : null;
    }
    const place = `${this.getWorkflow().id} ${this.getNode().id}`;
    if (running.has(place)) return null;
    running.add(place);
    try {
      const fresh = await pollOnce(this, key, agentId);
      return fresh.length ? [fresh.map((json) => ({ json }))] : null;
    } finally {
      running.delete(place);
    }
  }
}

module.exports = { ChatForgePollingTrigger };
