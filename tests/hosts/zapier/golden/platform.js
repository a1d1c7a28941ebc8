// What Zapier gives to the code that all platforms have in common: requests, errors, pauses.
'use strict';

const { Client } = require('./client');

const LONGEST_WAIT = 20 * 1000; // ms; Zapier ends an action after 30 s

// `merge` would refuse texts in which somebody wrote {{bundle.…}}.
const OPTIONS = { merge: false, redirect: 'manual', skipThrowForStatus: true, throwForThrottlingEarly: false };

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

const connect = (z, { authData }) => {
  const fail = ({ code, sentence, status, delay }) => {
    if (code === 'AuthenticationError') return new z.errors.ExpiredAuthError(sentence);
    if (code === 'RateLimitError') return new z.errors.ThrottledError(sentence, delay);
    if (code === 'InputError') return new z.errors.HaltedError(sentence);
    return new z.errors.Error(sentence, code, status);
  };
  const send = async ({ query, ...request }) => {
    try {
      const answer = await z.request({ ...OPTIONS, ...request, params: query });
      return { status: answer.status, header: (name) => answer.getHeader(name), text: answer.content };
    } catch (error) {
      if (error.name !== 'FetchError') throw error;
      return { reason: error.code || error.type || error.name };
    }
  };
  return new Client({ credentials: authData, send, fail, pause, longestWait: LONGEST_WAIT, patience: 0 });
};

module.exports = { connect };
