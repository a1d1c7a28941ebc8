// Authenticates and reads the deliveries of ChatForge. They are signed with HMAC-SHA256 over JSON.stringify(payload).
'use strict';

const { createHash, createHmac, timingSafeEqual } = require('node:crypto');

const HEADER = 'x-chatforge-signature';
const LARGEST = 1048576; // bytes
const LARGEST_REWRITTEN = 256000; // bytes
const DEEPEST = 64;

// A delivery that is not accepted; `status` is the answer to it.
class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

const isSigned = (body, signature, secrets) => {
  const wanted = Buffer.from(signature, 'hex');
  const matches = secrets.map((secret) => timingSafeEqual(createHmac('sha256', secret).update(body).digest(), wanted));
  return matches.includes(true); // all are compared: the time taken must not tell which secret matched
};

const decode = (body) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);

const nests = (value, levels) =>
  typeof value === 'object' && value !== null && (levels === 0 || Object.values(value).some((part) => nests(part, levels - 1)));

const read = (body) => {
  try {
    const value = JSON.parse(decode(body));
    return nests(value, DEEPEST) ? undefined : value;
  } catch {
    return undefined;
  }
};

const signatureOf = (headers) => {
  const [, digits] = /^(?:sha256=)?([0-9a-f]{64})$/i.exec(headers[HEADER] || '') || [];
  if (digits) return digits;
  const found = headers[HEADER] ? 'is malformed, expected 64 hexadecimal digits' : 'is missing';
  throw new Refused(401, `the header X-ChatForge-Signature ${found}; sign the body with the webhook secret`);
};

const check = (headers, body, secrets) => {
  const live = secrets.filter(Boolean);
  if (!live.length) {
    throw new Refused(503, 'no webhook secret is in the credential, so that no delivery can be checked; put in the one from the dashboard');
  }
  if (body.length > LARGEST) throw new Refused(413, `the body has ${body.length} bytes, expected at most ${LARGEST}; send a smaller one`);
  const encoding = (headers['content-encoding'] || '').trim().toLowerCase();
  if (!['', 'identity'].includes(encoding)) throw new Refused(415, 'the body is encoded; send it without Content-Encoding');
  const signature = signatureOf(headers);
  if (isSigned(body, signature, live)) return;
  const value = body.length <= LARGEST_REWRITTEN ? read(body) : undefined; // a proxy may have written the JSON anew
  if (value !== undefined && isSigned(JSON.stringify(value), signature, live)) return;
  throw new Refused(401, 'the header X-ChatForge-Signature does not fit the body; compare the webhook secret with the one in the dashboard');
};

const isTime = (text) => typeof text === 'string' && !Number.isNaN(Date.parse(text));

// The event of a delivery and its identity, which it keeps when a proxy writes the JSON anew. Throws Refused.
const receive = (headers, body, secrets) => {
  check(headers, body, secrets);
  const payload = read(body);
  if (typeof payload?.event !== 'string' || !payload.event) {
    throw new Refused(400, "the body is no event, expected JSON with a text in 'event'; send what ChatForge signs");
  }
  const identity = createHash('sha256').update(JSON.stringify(payload)).digest('hex');
  return { identity, payload: { ...payload, timestamp: isTime(payload.timestamp) ? payload.timestamp : null } };
};

module.exports = { Refused, receive };
