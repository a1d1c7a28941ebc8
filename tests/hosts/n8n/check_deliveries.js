// node check_deliveries.js WEBHOOKS.js < [{body (base64), signature, secret}] → [identity or status]
'use strict';

const { readFileSync } = require('node:fs');
const { receive } = require(process.argv[2]);

const outcome = ({ body, signature, secret }) => {
  try {
    return receive({ 'x-chatforge-signature': signature }, Buffer.from(body, 'base64'), [secret]).identity;
  } catch (error) {
    return error.status || String(error);
  }
};

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(outcome)));
