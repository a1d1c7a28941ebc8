// What a trigger gives of an event: definitions.json says from which of its fields each value comes.
'use strict';

const valueAt = (payload, path) =>
  path.split('.').reduce((value, name) => (value === null || value === undefined ? value : value[name]), payload);

// With null for what the event does not say, or the present time where the trigger needs one.
const shape = ({ from, or_now: orNow, constants }, payload) => {
  const output = Object.fromEntries(orNow.map((name) => [name, new Date().toISOString()]));
  for (const [name, path] of Object.entries(from)) output[name] = valueAt(payload, path) ?? output[name] ?? null;
  return { ...constants, ...output };
};

module.exports = { shape };
