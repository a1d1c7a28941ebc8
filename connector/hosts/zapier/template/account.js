// The account: how requests are authenticated, and what refusals mean.
'use strict';

const { login, actions } = require('./definitions.json');

const base = (bundle) => (bundle.authData && bundle.authData.base_url) || login.base_url;

const beforeRequest = (request, z, bundle) => {
  if (!bundle.authData || !bundle.authData.api_key) return request;
  for (const [name, value] of Object.entries(login.headers)) {
    request.headers[name] = value.replace('{api_key}', bundle.authData.api_key);
  }
  return request;
};

const isPage = (text) => /^\s*</.test(text);

const said = (text) => {
  try {
    const { error, message } = JSON.parse(text);
    const found = (error && error.message) || error || message;
    if (typeof found === 'string' && found.trim()) return found.slice(0, 200);
  } catch {
    // it is no JSON: what it says is not for people
  }
  return isPage(text) ? 'an HTML page' : 'no reason given';
};

const HINTS = {
  401: 'the API key is not accepted; connect the account again with a key from the ChatForge dashboard, Integrations',
  403: 'the plan of this API key does not include the API; ChatForge requires the Enterprise plan',
  404: 'not found at ChatForge; check the ids: what they name must exist in the account of this API key',
};

const afterResponse = (response, z) => {
  const { status, content } = response;
  if (status === 429) {
    const seconds = Number(response.getHeader('retry-after'));
    throw new z.errors.ThrottledError('too many requests for this API key', seconds > 0 ? seconds : 60);
  }
  if (status === 401) throw new z.errors.ExpiredAuthError(`${HINTS[401]} (401: ${said(content)})`);
  if (status >= 500) {
    const step = response.request.method === 'GET' ? 'try again' : 'it may have carried out the request, so look there first';
    throw new z.errors.Error(`ChatForge failed (${status}: ${said(content)}); ${step}`, 'ServerError', status);
  }
  if (status >= 300) {
    const hint = HINTS[status] || 'ChatForge refuses the request; correct the input';
    throw new z.errors.Error(`${hint} (${status}: ${said(content)})`, 'Refused', status);
  }
  if (isPage(content)) {
    throw new z.errors.Error('expected JSON from ChatForge, got an HTML page; check the base URL', 'Page', status);
  }
  response.skipThrowForStatus = true;
  return response;
};

const authentication = {
  type: 'custom',
  fields: [
    { key: 'api_key', label: 'API key', type: 'password', required: true, helpText: `Here ${login.help}.` },
    { key: 'base_url', label: 'Base URL', type: 'string', required: false, default: login.base_url, helpText: 'Only for tests: the address of the API.' },
  ],
  test: async (z, bundle) => {
    const { method, query } = actions[login.test].request;
    const response = await z.request({ method, url: base(bundle), params: query });
    return { agents: response.json.agents.length };
  },
  connectionLabel: '{{bundle.inputData.agents}} agents',
};

module.exports = { authentication, beforeRequest, afterResponse, base };
