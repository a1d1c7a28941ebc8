'use strict';

const { account, actions, forms, not_json: notJson, refusals } = require('../lib/definitions.json');

const ANSWERS = [301, 302, 307, 308, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504];

// A text with fields of the credential, as an expression of n8n.
const expressionOf = (text) => `=${text.replace(/\{(\w+)\}/g, (_, name) => `{{$credentials.${name}}}`)}`;

const ruleOf = (status) => {
  const { what, step, when_reading: again } = refusals[status] || refusals[`${String(status)[0]}xx`];
  return { type: 'responseCode', properties: { value: status, message: `${what} (${status}); ${again || step}` } };
};

const { method, path, query } = actions[account.test].request;
const [expected] = actions[account.test].always;

class ChatForgeApi {
  name = 'chatForgeApi';
  displayName = 'ChatForge API';
  icon = 'file:../nodes/ChatForge/chatforge.svg';
  documentationUrl = 'https://chatforge.aiedge247.com';
  properties = forms.credential;

  // The HTTP Request node can use the credential too.
  authenticate = {
    type: 'generic',
    properties: {
      headers: Object.fromEntries(Object.entries(account.headers).map(([name, text]) => [name, expressionOf(text)])),
    },
  };

  test = {
    request: {
      method,
      baseURL: `={{$credentials.${account.address_field} || '${account.base_url}'}}`,
      url: path,
      qs: query,
      disableFollowRedirect: true,
    },
    rules: [
      ...ANSWERS.map(ruleOf),
      {
        type: 'responseSuccessBody', // an answer without what there should be, such as a page
        properties: { key: expected, value: undefined, message: `expected JSON with ${expected} from ChatForge; ${notJson.for_a_page}` },
      },
    ],
  };
}

module.exports = { ChatForgeApi };
