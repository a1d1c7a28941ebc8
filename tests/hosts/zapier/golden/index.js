// The app: triggers, creates and searches, made of definitions.json.
'use strict';

const definitions = require('./definitions.json');
const platform = require('zapier-platform-core');
const { authentication, beforeRequest, afterResponse } = require('./account');
const { perform } = require('./actions');
const leads = require('./leads');

const noun = (title) => title.split(' ').slice(1).join(' ') || title;
const display = ({ title, description }) => ({ label: title, description });

// Zapier takes a list from a search and one object from a create.
const asList = (output) => {
  const [value] = Object.values(output);
  if (Array.isArray(value)) return value;
  if (value === null) return [];
  return [output];
};

const operation = (key, definition, run, more) => ({
  key,
  noun: noun(definition.title),
  display: display(definition),
  operation: {
    inputFields: definition.input,
    perform: run,
    sample: definition.sample,
    ...more,
  },
});

const creates = {};
const searches = {};
for (const [key, definition] of Object.entries(definitions.actions)) {
  const run = (z, bundle) => perform(z, key, bundle.inputData, bundle);
  if (definition.effect === 'read') {
    const [sample] = asList(definition.sample);
    searches[key] = operation(key, { ...definition, sample }, async (z, bundle) => asList(await run(z, bundle)));
  } else {
    creates[key] = operation(key, definition, run, { outputFields: definition.output });
  }
}

module.exports = {
  version: definitions.version,
  platformVersion: platform.version,
  authentication,
  flags: { cleanInputData: false },
  beforeRequest: [beforeRequest],
  afterResponse: [afterResponse],
  throttle: definitions.login.throttle,
  triggers: { new_lead: leads.newLead, agents: leads.agents },
  creates,
  searches,
};
