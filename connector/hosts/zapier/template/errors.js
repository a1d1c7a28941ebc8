// What refusals of ChatForge mean to a person, as errors of Zapier. The sentences are in definitions.json.
'use strict';

const { account, refusals, not_json: notJson } = require('./definitions.json');

const QUOTED = 200;
const SHORTEST_SECRET = 8;
const LONGEST_DELAY = 86400;
const USUAL_DELAY = 60;

const isPage = (text) => /^\s*</.test(text);

// An answer may repeat the key, and errors are shown to people.
const hideKey = (text, bundle) => {
  let shown = text;
  for (const { key, type } of account.fields) {
    const secret = type === 'password' ? String(bundle.authData[key] || '') : '';
    if (secret.length >= SHORTEST_SECRET) shown = shown.split(secret).join('[key]');
  }
  return shown;
};

const shorten = (text) => {
  const line = text.replace(/[\p{C}\s]+/gu, ' ').trim();
  return line.length > QUOTED ? `${line.slice(0, QUOTED - 1)}…` : line;
};

const messageOf = (json) => {
  const { error, message } = json || {};
  return [error, error && error.message, message].find((one) => typeof one === 'string' && one.trim());
};

const quote = ({ content, json }, bundle) => {
  if (isPage(content)) return 'an HTML page';
  const text = shorten(hideKey(messageOf(json) || content, bundle));
  return text ? `'${text}'` : '';
};

// Seconds from now on; of several values, as of a proxy and of what stands behind it, the longest.
const readDelay = (response) => {
  const sentAt = Date.parse(response.getHeader('date')) || Date.now();
  const values = (response.getHeader('retry-after') || '').split(','); // a date is understood without its weekday
  const delays = values.map((value) =>
    /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : (Date.parse(value) - sentAt) / 1000,
  );
  const usable = delays.filter((delay) => delay <= LONGEST_DELAY);
  return usable.length ? Math.ceil(Math.max(1, ...usable)) : USUAL_DELAY;
};

const isRead = (request) => (request.method || 'GET') === 'GET';

const meaningOf = (status) => refusals[status] || refusals[`${String(status)[0]}xx`];

const stepOf = (meaning, response) => {
  if (isPage(response.content) && meaning.for_a_page) return meaning.for_a_page;
  return (isRead(response.request) && meaning.when_reading) || meaning.step;
};

const refuse = (z, bundle, response) => {
  const { status } = response;
  const meaning = meaningOf(status);
  const said = quote(response, bundle) || 'no reason given';
  const sentence = `${meaning.what} (${status}: ${said}); ${stepOf(meaning, response)}`;
  if (status === 401) return new z.errors.ExpiredAuthError(sentence);
  if (status === 429) return new z.errors.ThrottledError(sentence, readDelay(response));
  return new z.errors.Error(sentence, meaning.code, status);
};

const refuseContent = (z, bundle, response) => {
  const { status, content, json } = response;
  const came = quote(response, bundle) || 'an empty answer';
  if (json && json.error) {
    const step = stepOf(refusals['5xx'], response);
    return new z.errors.Error(`ChatForge reports an error in an answer of status ${status}: ${came}; ${step}`, 'OutputError', status);
  }
  const step = isPage(content) ? notJson.for_a_page : notJson.step;
  return new z.errors.Error(`expected JSON from ChatForge, got ${came} (status ${status}); ${step}`, 'OutputError', status);
};

// Where no answer came, a request that changes something may have been carried out.
const failUnanswered = (z, error, request) => {
  const { step, when_reading: again } = refusals['5xx'];
  const reason = error.code || error.type || error.name;
  const refused = reason === 'ECONNREFUSED' || reason === 'ENOTFOUND';
  return new z.errors.Error(`no answer from ChatForge (${reason}); ${isRead(request) || refused ? again : step}`, 'NetworkError');
};

module.exports = { failUnanswered, isPage, refuse, refuseContent };
