// Polls: new leads, and the agents that a person chooses from.
'use strict';

const { new_lead: definition, actions } = require('./definitions.json');
const { perform } = require('./actions');

const PAGE = 50;

const shape = (lead, agentId) => {
  const output = { id: lead.id, ...definition.constants, agent_id: agentId };
  for (const [name, from] of Object.entries(definition.from)) output[name] = lead[from] === undefined ? null : lead[from];
  return output;
};

const agentsOf = async (z, bundle) => {
  if (bundle.inputData.agent_id) return [bundle.inputData.agent_id];
  return (await perform(z, 'list_agents', {}, bundle)).agents.map((agent) => agent.id);
};

// One page of each agent a time: Zapier asks again soon, and takes only what it has not seen.
const newLeads = async (z, bundle) => {
  const found = [];
  for (const agentId of await agentsOf(z, bundle)) {
    const { leads } = await perform(z, 'list_leads', { agent_id: agentId, limit: PAGE, offset: 0 }, bundle);
    found.push(...leads.map((lead) => shape(lead, agentId)));
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
