// The app: triggers, creates and searches, made of definitions.json.
'use strict';

const platform = require('zapier-platform-core');
const definitions = require('./definitions.json');
const { afterResponse, authentication, beforeRequest } = require('./account');
const { perform } = require('./actions');
const { triggers } = require('./polling');

const operation = (key, definition, run, sample) => ({
  key,
  noun: definition.noun,
  display: { label: definition.title, description: definition.description },
  operation: { inputFields: definition.input, perform: run, sample, outputFields: definition.output },
});

const create = (key, definition) =>
  operation(key, definition, (z, bundle) => perform(z, bundle, key, bundle.inputData), definition.sample);

// Zapier takes a list from a search: that of the output, or the output itself unless nothing was found.
const listOf = (output) => {
  const [value] = Object.values(output);
  if (Array.isArray(value)) return value;
  return value === null ? [] : [output];
};

const search = (key, definition) => {
  const run = async (z, bundle) => {
    const output = await perform(z, bundle, key, bundle.inputData);
    const found = listOf(output);
    if (!found.length && output.complete === false) {
      const sentence = 'not found on the pages that were looked at, and there are more; give a larger max_pages';
      throw new z.errors.HaltedError(sentence);
    }
    return found;
  };
  return operation(key, definition, run, listOf(definition.sample)[0]);
};

const creates = {};
const searches = {};
for (const [key, definition] of Object.entries(definitions.actions)) {
  if (definition.effect === 'read') searches[key] = search(key, definition);
  else creates[key] = create(key, definition);
}

module.exports = {
  version: definitions.version,
  platformVersion: platform.version,
  authentication,
  flags: { cleanInputData: false },
  beforeRequest: [beforeRequest],
  afterResponse: [afterResponse],
  throttle: definitions.account.throttle,
  triggers,
  creates,
  searches,
};
