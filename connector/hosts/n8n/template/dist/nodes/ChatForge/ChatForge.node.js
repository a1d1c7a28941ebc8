'use strict';

const { NodeConnectionTypes } = require('n8n-workflow');
const { forms } = require('../../lib/definitions.json');
const { isGiven } = require('../../lib/client');
const { perform } = require('../../lib/actions');
const { CREDENTIAL, additionalOf, connect, listSearch } = require('../../lib/platform');

// null for what the form does not show, as the limit of a list that is wanted whole.
const inputsOf = (context, index, key) => {
  const input = {};
  for (const { name, type, displayOptions } of forms.actions) {
    if (!displayOptions || !displayOptions.show.operation.includes(key)) continue;
    const value = context.getNodeParameter(name, index, null, { extractValue: type === 'resourceLocator' });
    Object.assign(input, type === 'collection' ? additionalOf(value) : { [name]: value });
  }
  return input;
};

// One item for each entry of a list, otherwise the output itself.
const itemsOf = (output) => {
  const [value] = Object.values(output);
  return Array.isArray(value) ? value : [output];
};

// The operation, or with `returnAll` that of each page until an empty one.
const performAll = async (client, key, { returnAll, ...input }) => {
  const found = [];
  let output = await perform(client, key, input);
  found.push(...itemsOf(output));
  while (returnAll && isGiven(output.next_offset)) {
    output = await perform(client, key, { ...input, offset: output.next_offset });
    found.push(...itemsOf(output));
  }
  return found;
};

class ChatForge {
  description = {
    displayName: 'ChatForge',
    name: 'chatForge',
    icon: 'file:chatforge.svg',
    group: ['transform'],
    version: 1,
    subtitle: '={{$parameter["operation"]}}',
    description: 'Agents, conversations, leads and messages of ChatForge',
    defaults: { name: 'ChatForge' },
    usableAsTool: true,
    inputs: [NodeConnectionTypes.Main],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: CREDENTIAL, required: true }],
    properties: forms.actions,
  };

  methods = { listSearch };

  async execute() {
    const results = [];
    for (let index = 0; index < this.getInputData().length; index += 1) {
      try {
        const key = this.getNodeParameter('operation', index);
        const client = await connect(this, { itemIndex: index });
        const found = await performAll(client, key, inputsOf(this, index, key));
        results.push(...found.map((json) => ({ json, pairedItem: { item: index } })));
      } catch (error) {
        if (!this.continueOnFail()) throw error;
        results.push({ json: { error: error.message }, error, pairedItem: { item: index } });
      }
    }
    return [results];
  }
}

module.exports = { ChatForge };
