// The requests of an account. definitions.json says where each input goes in them; the platform sends them.
'use strict';

const { account, actions } = require('./definitions.json');
const { explainContent, explainRefusal, explainSilence, isPage } = require('./errors');

const isGiven = (value) => value !== undefined && value !== null && value !== '';

// The value of a header, with the secrets in their places.
const write = (value, credentials) => value.replace(/\{(\w+)\}/g, (_, name) => credentials[name]);

// The template with the inputs in their places; what is not given is left out.
const fill = (template, input) => {
  const filled = {};
  for (const [name, part] of Object.entries(template || {})) {
    const value = part && typeof part === 'object' ? input[part.input] : part;
    if (isGiven(value)) filled[name] = value;
  }
  return filled;
};

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

// `platform` has
//   credentials     the account, by field
//   send(request)   {method, url, query, headers, body} → {status, header(name), text}, or {reason} where no answer came;
//                   it follows no redirects
//   fail(problem)   its own error for {code, sentence, status, delay}; `delay` in seconds, of a RateLimitError
//   pause(time)     in milliseconds
//   longestWait     of an action, in milliseconds
//   patience        for how many milliseconds a request waits when there were too many
class Client {
  constructor(platform) {
    this.platform = platform;
    this.credentials = platform.credentials;
  }

  fail(code, sentence) {
    return this.platform.fail({ code, sentence });
  }

  // The JSON that answers the one request of an action.
  async ask(key, input) {
    const request = this.request(actions[key].request, input);
    for (let patience = this.platform.patience; ; ) {
      const answer = await this.platform.send(request);
      const problem = this.problemOf(request, answer);
      if (!problem) return parse(answer.text) || {};
      const delay = problem.code === 'RateLimitError' ? problem.delay * 1000 : Infinity;
      if (delay > patience) throw this.platform.fail(problem);
      patience -= delay;
      await this.platform.pause(delay);
    }
  }

  request({ method, path, query, body }, input) {
    const base = (account.address_field && this.credentials[account.address_field]) || account.base_url;
    const request = { method, url: base + path, query: fill(query, input), headers: this.headers() };
    if (!body) return request;
    request.headers['Content-Type'] = 'application/json';
    return { ...request, body: JSON.stringify(fill(body, input)) };
  }

  headers() {
    for (const [name, label] of Object.entries(account.secrets)) {
      if (!/^[!-~]+$/.test(this.credentials[name] || '')) {
        const sentence = `the ${label} is missing, or has a space or another character that no key has; copy it again`;
        throw this.fail('AuthenticationError', sentence);
      }
    }
    const written = Object.entries(account.headers).map(([name, value]) => [name, write(value, this.credentials)]);
    return Object.fromEntries(written);
  }

  // What is deleted is gone, whatever the answer says; of all others it is JSON.
  problemOf(request, answer) {
    if (answer.reason) return explainSilence(request, answer);
    const secrets = Object.keys(account.secrets).map((name) => this.credentials[name]);
    const seen = { ...answer, json: parse(answer.text) };
    if (answer.status < 200 || answer.status > 299) return explainRefusal(request, seen, secrets);
    const isJson = seen.json !== undefined || request.method === 'DELETE';
    if (isPage(answer.text) || !isJson || (seen.json && seen.json.error)) return explainContent(request, seen, secrets);
    return null;
  }
}

module.exports = { Client, isGiven };
