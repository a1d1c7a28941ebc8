// The account, and the requests that are made with it.
'use strict';

const { account, actions } = require('./definitions.json');
const { failUnanswered, isPage, refuse, refuseContent } = require('./errors');

const baseOf = ({ authData }) => (account.address_field && authData[account.address_field]) || account.base_url;

// The value of a header, with the secrets in their places.
const write = (value, authData) => value.replace(/\{(\w+)\}/g, (_, name) => authData[name] || '');

const beforeRequest = (request, z, { authData }) => {
  for (const { key, label, type } of account.fields) {
    if (type === 'password' && !/^[!-~]+$/.test(authData[key] || '')) {
      const sentence = `the ${label} is missing, or has a space or another character that no key has; copy it again`;
      throw new z.errors.ExpiredAuthError(sentence);
    }
  }
  for (const [name, value] of Object.entries(account.headers)) request.headers[name] = write(value, authData);
  return request;
};

// What is deleted is gone, whatever the answer says; of all others it is JSON.
const afterResponse = (response, z, bundle) => {
  const { status, content, json, request } = response;
  if (status < 200 || status > 299) throw refuse(z, bundle, response);
  const isJson = json !== undefined || request.method === 'DELETE';
  if (isPage(content) || !isJson || (json && json.error)) throw refuseContent(z, bundle, response);
  return response;
};

const isGiven = (value) => value !== undefined && value !== null && value !== '';

// The template with the inputs in their places; what is not given is left out.
const fill = (template, input) => {
  const filled = {};
  for (const [name, part] of Object.entries(template || {})) {
    const value = part && typeof part === 'object' ? input[part.input] : part;
    if (isGiven(value)) filled[name] = value;
  }
  return filled;
};

// `merge` would refuse texts in which somebody wrote {{bundle.…}}.
const OPTIONS = { merge: false, redirect: 'manual', skipThrowForStatus: true, throwForThrottlingEarly: false };

// The JSON that answers the one request of an action.
const ask = async (z, bundle, key, input) => {
  const { method, path, query, body } = actions[key].request;
  const options = { ...OPTIONS, method, url: baseOf(bundle) + path, params: fill(query, input), headers: {} };
  if (body) {
    options.body = JSON.stringify(fill(body, input));
    options.headers['Content-Type'] = 'application/json';
  }
  const response = await z.request(options).catch((error) => {
    throw error.name === 'FetchError' ? failUnanswered(z, error, options) : error;
  });
  return response.json || {};
};

const authentication = {
  type: 'custom',
  fields: account.fields,
  test: async (z, bundle) => ({ agents: (await ask(z, bundle, account.test, {})).agents.length }),
  connectionLabel: '{{bundle.inputData.agents}} agents',
};

module.exports = { afterResponse, ask, authentication, beforeRequest, isGiven };
