// Runs operations of the app in the folder given: node run_app.js APP ORDERS → their outcomes as JSON.
'use strict';

const path = require('path');

const folder = path.resolve(process.argv[2]);
const zapier = require(require.resolve('zapier-platform-core', { paths: [folder] }));
const App = require(folder);

const find = ({ kind, key }) => (kind === 'authentication' ? App.authentication.test : App[kind][key].operation.perform);

const run = async (test, { auth, meta, input, ...order }) => {
  try {
    return { output: await test(find(order), { authData: auth, inputData: input || {}, meta }) };
  } catch (error) {
    return { error: error.name, message: error.message.split('\n\nConsole logs:')[0] };
  }
};

(async () => {
  const test = zapier.createAppTester(App);
  const outcomes = [];
  for (const order of JSON.parse(process.argv[3])) outcomes.push(await run(test, order));
  console.log(`RESULT ${JSON.stringify(outcomes)}`);
})();
