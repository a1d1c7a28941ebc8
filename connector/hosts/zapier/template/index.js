// The app: account, triggers, creates and searches, made of definitions.json.
'use strict';

const platform = require('zapier-platform-core');
const definitions = require('./definitions.json');
const { connect } = require('./platform');
const { perform } = require('./actions');
const { Poll, choose } = require('./polling');

const { account, actions, choices, triggers } = definitions;

const map = (all, make) => Object.fromEntries(Object.entries(all).map(([key, one]) => [key, make(key, one)]));

const operation = (key, definition, run, sample) => ({
  key,
  noun: definition.noun,
  display: { label: definition.title, description: definition.description },
  operation: { inputFields: definition.input, perform: run, sample, outputFields: definition.output },
});

const create = (key, definition) =>
  operation(key, definition, (z, bundle) => perform(connect(z, bundle), key, bundle.inputData), definition.sample);

// Zapier takes a list from a search: that of the output, or the output itself unless nothing was found.
const listOf = (output) => {
  const [value] = Object.values(output);
  if (Array.isArray(value)) return value;
  return value === null ? [] : [output];
};

const search = (key, definition) => {
  const run = async (z, bundle) => {
    const output = await perform(connect(z, bundle), key, bundle.inputData);
    const found = listOf(output);
    if (!found.length && output.complete === false) {
      const sentence = 'not found on the pages that were looked at, and there are more; give a larger max_pages';
      throw new z.errors.HaltedError(sentence);
    }
    return found;
  };
  return operation(key, definition, run, listOf(definition.sample)[0]);
};

const polled = (made) => ({ ...made, operation: { ...made.operation, type: 'polling' } });

const poll = (key, definition) => {
  const run = (z, bundle) => {
    const { isLoadingSample, isPopulatingDedupe } = bundle.meta || {};
    const withOld = Boolean(isLoadingSample || isPopulatingDedupe);
    return new Poll(connect(z, bundle), definition, bundle.inputData.agent_id, withOld).run();
  };
  return polled(operation(key, definition, run, definition.sample));
};

// Hidden: it lists what a person chooses from for an input.
const choice = (key, definition) => {
  const run = async (z, bundle) => (await choose(connect(z, bundle), definition, bundle.inputData)).found;
  const { title, description, sample } = actions[definition.action];
  const display = { label: title, description, hidden: true };
  const [first] = sample[definition.items];
  return { key, noun: definition.noun, display, operation: { type: 'polling', perform: run, sample: first } };
};

const testAccount = async (z, bundle) => ({ agents: (await perform(connect(z, bundle), account.test, {})).agents.length });

const of = (isWanted) => Object.fromEntries(Object.entries(actions).filter(([, { effect }]) => isWanted(effect)));

module.exports = {
  version: definitions.version,
  platformVersion: platform.version,
  authentication: {
    type: 'custom',
    fields: account.fields,
    test: testAccount,
    connectionLabel: '{{bundle.inputData.agents}} agents',
  },
  flags: { cleanInputData: false },
  throttle: account.throttle,
  triggers: { ...map(triggers, poll), ...map(choices, choice) },
  creates: map(of((effect) => effect !== 'read'), create),
  searches: map(of((effect) => effect === 'read'), search),
};
