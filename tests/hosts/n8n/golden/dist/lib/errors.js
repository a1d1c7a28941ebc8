// What went wrong with a request, for a person: {code, sentence, status, delay}. The sentences are in definitions.json.
'use strict';

const { refusals, not_json: notJson } = require('./definitions.json');

const QUOTED = 200;
const SHORTEST_SECRET = 8;
const LONGEST_DELAY = 86400;
const USUAL_DELAY = 60;

const isPage = (text) => /^\s*</.test(text);

// An answer may repeat the key, and errors are shown to people.
const hide = (text, secrets) =>
  secrets.reduce((shown, secret) => (secret.length < SHORTEST_SECRET ? shown : shown.split(secret).join('[key]')), text);

const shorten = (text) => {
  const line = text.replace(/[\p{C}\s]+/gu, ' ').trim();
  return line.length > QUOTED ? `${line.slice(0, QUOTED - 1)}…` : line;
};

const messageOf = (json) => {
  const { error, message } = json || {};
  return [error, error && error.message, message].find((one) => typeof one === 'string' && one.trim());
};

const quote = ({ text, json }, secrets) => {
  if (isPage(text)) return 'an HTML page';
  const quoted = shorten(hide(messageOf(json) || text, secrets));
  return quoted ? `'${quoted}'` : '';
};

// Seconds from now on; of several values, as of a proxy and of what stands behind it, the longest.
const readDelay = ({ header }) => {
  const sentAt = Date.parse(header('date')) || Date.now();
  const values = (header('retry-after') || '').split(','); // a date is understood without its weekday
  const delays = values.map((value) =>
    /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : (Date.parse(value) - sentAt) / 1000,
  );
  const usable = delays.filter((delay) => delay <= LONGEST_DELAY);
  return usable.length ? Math.ceil(Math.max(1, ...usable)) : USUAL_DELAY;
};

const meaningOf = (status) => refusals[status] || refusals[`${String(status)[0]}xx`];

const stepOf = (meaning, request, { text }) => {
  if (isPage(text) && meaning.for_a_page) return meaning.for_a_page;
  return (request.method === 'GET' && meaning.when_reading) || meaning.step;
};

const explainRefusal = (request, answer, secrets) => {
  const { status } = answer;
  const meaning = meaningOf(status);
  const said = quote(answer, secrets) || 'no reason given';
  const sentence = `${meaning.what} (${status}: ${said}); ${stepOf(meaning, request, answer)}`;
  const delay = status === 429 ? readDelay(answer) : undefined;
  return { code: meaning.code, sentence, status, delay };
};

const explainContent = (request, answer, secrets) => {
  const { status, text, json } = answer;
  const came = quote(answer, secrets) || 'an empty answer';
  if (json && json.error) {
    const step = stepOf(refusals['5xx'], request, answer);
    return { code: 'OutputError', sentence: `ChatForge reports an error in an answer of status ${status}: ${came}; ${step}`, status };
  }
  const step = isPage(text) ? notJson.for_a_page : notJson.step;
  return { code: 'OutputError', sentence: `expected JSON from ChatForge, got ${came} (status ${status}); ${step}`, status };
};

// A request that changes something may have been carried out.
const explainSilence = ({ method }, { reason }) => {
  const { step, when_reading: again } = refusals['5xx'];
  const wasNotSent = reason === 'ECONNREFUSED' || reason === 'ENOTFOUND';
  return { code: 'NetworkError', sentence: `no answer from ChatForge (${reason}); ${method === 'GET' || wasNotSent ? again : step}` };
};

module.exports = { explainContent, explainRefusal, explainSilence, isPage };
