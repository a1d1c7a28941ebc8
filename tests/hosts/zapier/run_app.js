// Runs operations of the app in the folder given: node run_app.js APP ORDERS → their outcomes as JSON.
'use strict';

const path = require('path');

const folder = path.resolve(process.argv[2]);
const zapier = require(require.resolve('zapier-platform-core', { paths: [folder] }));
const App = require(folder);

const find = ({ kind, key }) => (kind === 'authentication' ? App.authentication.test : App[kind][key].operation.perform);

const run = async (test, order) => {
  try {
    return { output: await test(find(order), { authData: order.auth, inputData: order.input || {} }) };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
};

(async () => {
  const test = zapier.createAppTester(App);
  const outcomes = [];
  for (const order of JSON.parse(process.argv[3])) outcomes.push(await run(test, order));
  console.log(`RESULT ${JSON.stringify(outcomes)}`);
})();
