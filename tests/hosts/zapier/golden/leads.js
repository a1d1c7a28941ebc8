// Polls: new leads, and the agents that a person chooses from.
'use strict';

const { new_lead: definition, actions } = require('./definitions.json');
const { perform } = require('./actions');

const PAGE = 50;
const WHOLE = 500;

const shape = (lead, agentId) => {
  const output = { id: lead.id, ...definition.constants, agent_id: agentId };
  for (const [name, from] of Object.entries(definition.from)) output[name] = lead[from] === undefined ? null : lead[from];
  return output;
};

const agentsOf = async (z, bundle) => {
  if (bundle.inputData.agent_id) return [bundle.inputData.agent_id];
  return (await perform(z, 'list_agents', {}, bundle)).agents.map((agent) => agent.id);
};

// In which order the list is, ChatForge does not say: a short one is read whole, of a long one both ends.
const list = async (z, bundle, agentId) => {
  const input = { agent_id: agentId, limit: PAGE };
  const page = async (offset) => (await perform(z, 'list_leads', { ...input, offset }, bundle)).leads;
  const { leads: counts } = await perform(z, 'get_analytics', { agent_id: agentId }, bundle);
  const total = (counts && counts.total) || 0;
  const found = new Map();
  for (let offset = 0, size = 1; size > 0; ) {
    const items = await page(offset);
    for (const item of items) found.set(item.id, item);
    size = items.length;
    offset += size;
    if (total > WHOLE && offset < total - 2 * PAGE) offset = total - 2 * PAGE;
  }
  return [...found.values()];
};

const newLeads = async (z, bundle) => {
  const found = [];
  for (const agentId of await agentsOf(z, bundle)) {
    found.push(...(await list(z, bundle, agentId)).map((lead) => shape(lead, agentId)));
  }
  return found.sort((one, other) => Date.parse(other.captured_at) - Date.parse(one.captured_at));
};

const newLead = {
  key: 'new_lead',
  noun: 'Lead',
  display: { label: definition.title, description: definition.description },
  operation: {
    type: 'polling',
    inputFields: [
      { key: 'agent_id', label: 'Agent', type: 'string', required: false, dynamic: 'agents.id.name', helpText: 'All agents of the account without it.' },
    ],
    perform: newLeads,
    sample: definition.sample,
    outputFields: [{ key: 'id', label: 'Id', type: 'string' }, ...definition.output],
  },
};

const agents = {
  key: 'agents',
  noun: 'Agent',
  display: { label: actions.list_agents.title, description: actions.list_agents.description, hidden: true },
  operation: {
    perform: async (z, bundle) => (await perform(z, 'list_agents', {}, bundle)).agents,
    sample: actions.list_agents.sample.agents[0],
  },
};

module.exports = { newLead, agents };
