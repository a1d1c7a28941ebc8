// The test of a credential. n8n gives it no node, and another way to send requests.
'use strict';

const { account } = require('./definitions.json');
const { Client } = require('./client');
const { perform } = require('./actions');

const sender = (context) => async ({ url, query, ...request }) => {
  const options = { ...request, uri: url, qs: query, json: false, simple: false, followRedirect: false, resolveWithFullResponse: true };
  try {
    const answer = await context.helpers.request(options);
    return { status: answer.statusCode, header: (name) => String(answer.headers[name] ?? ''), text: String(answer.body ?? '') };
  } catch (error) {
    return { reason: error.code || error.cause?.code || error.name };
  }
};

async function testCredential(credential) {
  const platform = { credentials: credential.data, send: sender(this), fail: ({ sentence }) => new Error(sentence), patience: 0 };
  try {
    await perform(new Client(platform), account.test, {});
    return { status: 'OK', message: 'ChatForge accepts the key' };
  } catch (error) {
    return { status: 'Error', message: error.message };
  }
}

module.exports = { testCredential };
