// What n8n gives to the code that all platforms have in common: requests, errors, pauses, pages of lists.
'use strict';

const { NodeApiError, NodeOperationError, sleep } = require('n8n-workflow');
const { account, choices } = require('./definitions.json');
const { Client } = require('./client');
const { choose } = require('./polling');

const CREDENTIAL = 'chatForgeApi';
const TIMEOUT = 30 * 1000; // ms
const PATIENCE = 2 * 60 * 1000; // ms
const BY_INPUT = ['AuthenticationError', 'InputError', 'TooMany'];

const sentAt = new Map();

// Waits while this process has sent as many requests as the key may in that time.
const takeTurn = async (credentials) => {
  const key = JSON.stringify(Object.keys(account.secrets).map((name) => credentials[name]));
  const window = account.limit.seconds * 1000;
  for (;;) {
    const recent = (sentAt.get(key) || []).filter((time) => time > Date.now() - window);
    sentAt.set(key, recent);
    if (recent.length < account.limit.requests) break;
    await sleep(recent[0] + window - Date.now());
  }
  sentAt.get(key).push(Date.now());
};

const headerOf = (headers) => (name) => {
  const value = (headers || {})[name];
  return value === undefined || value === null ? '' : String(value);
};

const reasonOf = (error) => [error.code, error.cause?.code, error.name].find((one) => typeof one === 'string');

// Every status is an answer, and the text is as it came.
const OPTIONS = { json: false, encoding: 'arraybuffer', returnFullResponse: true, ignoreHttpStatusErrors: true, disableFollowRedirect: true };

const sender = (context) => async ({ query, ...request }) => {
  try {
    const options = { ...OPTIONS, ...request, qs: query, timeout: TIMEOUT };
    const answer = await context.helpers.httpRequestWithAuthentication.call(context, CREDENTIAL, options);
    return { status: answer.statusCode, header: headerOf(answer.headers), text: Buffer.from(answer.body ?? '').toString() };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
};

// n8n replaces a sentence in which it sees the code of a failed connection by one of its own, so it is put in last.
const failer = (context, itemIndex) => ({ code, sentence, status }) => {
  const node = context.getNode();
  const options = { message: sentence, itemIndex, httpCode: status === undefined ? undefined : String(status) };
  const isOfInput = BY_INPUT.includes(code) && status === undefined;
  const error = isOfInput ? new NodeOperationError(node, sentence, { itemIndex }) : new NodeApiError(node, { name: code }, options);
  error.message = sentence;
  return error;
};

// `patience`: how long a request waits when there were too many.
const connect = async (context, { itemIndex, patience = PATIENCE } = {}) => {
  const credentials = await context.getCredentials(CREDENTIAL, itemIndex);
  const send = sender(context);
  return new Client({
    credentials,
    send: async (request) => {
      await takeTurn(credentials);
      return send(request);
    },
    fail: failer(context, itemIndex),
    pause: sleep,
    longestWait: Infinity,
    patience,
  });
};

// Searches for what a person chooses from: `this` is n8n's context of the form.
const searchFor = (definition) =>
  async function search(filter, cursor) {
    const client = await connect(this, { patience: 0 });
    const given = definition.needs.map((name) => [name, this.getCurrentNodeParameter(name, { extractValue: true })]);
    const { found, next } = await choose(client, definition, Object.fromEntries(given), cursor);
    const wanted = (filter || '').toLowerCase();
    const results = found.map((item) => ({ name: item[definition.label], value: item[definition.value] }));
    const isWanted = ({ name, value }) => `${name} ${value}`.toLowerCase().includes(wanted);
    return { results: results.filter(isWanted), paginationToken: next === null ? undefined : String(next) };
  };

const listSearch = Object.fromEntries(Object.entries(choices).map(([key, definition]) => [key, searchFor(definition)]));

// The values of additional fields, of which a locator is {mode, value}.
const plain = (value) => (value && typeof value === 'object' && '__rl' in value ? value.value : value);

const additionalOf = (fields) => Object.fromEntries(Object.entries(fields || {}).map(([name, value]) => [name, plain(value)]));

module.exports = { CREDENTIAL, additionalOf, connect, listSearch };
