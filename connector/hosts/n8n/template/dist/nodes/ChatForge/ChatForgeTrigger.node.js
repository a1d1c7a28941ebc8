'use strict';

const { NodeConnectionTypes } = require('n8n-workflow');
const { forms, received } = require('../../lib/definitions.json');
const { shape } = require('../../lib/shaping');
const { receive } = require('../../lib/webhooks');
const { CREDENTIAL } = require('../../lib/platform');

const WEEK = 7 * 86400 * 1000; // ms

const remembered = new Map();

// Whether the delivery came before, within a week. This process knows it at once, the workflow after a restart too.
const isRepeated = (context, identity) => {
  const place = `${context.getWorkflow().id} ${context.getNode().id}`;
  const memory = context.getWorkflowStaticData('node');
  const known = { ...memory.deliveries, ...remembered.get(place) };
  const isKnown = identity in known;
  const recent = Object.entries({ [identity]: Date.now(), ...known }).filter(([, time]) => time > Date.now() - WEEK);
  memory.deliveries = Object.fromEntries(recent);
  remembered.set(place, memory.deliveries);
  return isKnown;
};

const isWanted = (definition, filters, payload) => {
  const names = definition.event ? [definition.event] : filters.events || [];
  if (names.length && !names.includes(payload.event)) return false;
  return !filters.agent_id || filters.agent_id === payload.agent_id;
};

const reasonToSkip = (context, definition, { identity, payload }) => {
  if (!isWanted(definition, context.getNodeParameter('additional', {}), payload)) return 'not wanted here';
  if (context.getMode() === 'manual') return null;
  if (Date.parse(payload.timestamp) < Date.now() - WEEK) return 'more than 7 days old';
  return isRepeated(context, identity) ? 'came before' : null;
};

class ChatForgeTrigger {
  description = {
    displayName: 'ChatForge Trigger',
    name: 'chatForgeTrigger',
    icon: 'file:chatforge.svg',
    group: ['trigger'],
    version: 1,
    subtitle: '={{$parameter["trigger"]}}',
    description: 'Starts the workflow when ChatForge sends a signed webhook',
    defaults: { name: 'ChatForge Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: CREDENTIAL, required: true }],
    webhooks: [{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', responseData: '', path: 'webhook', rawBody: true }],
    properties: forms.received,
  };

  async webhook() {
    const { headers, rawBody } = this.getRequestObject();
    const { webhook_secret: secret, previous_webhook_secret: previous } = await this.getCredentials(CREDENTIAL);
    const definition = received[this.getNodeParameter('trigger')];
    const answer = (status, body) => {
      this.getResponseObject().status(status).json(body);
      return { noWebhookResponse: true };
    };
    let event;
    try {
      event = receive(headers, rawBody || Buffer.alloc(0), [secret, previous]);
    } catch (error) {
      return answer(error.status || 500, { error: error.status ? error.message : 'the delivery cannot be checked' });
    }
    const reason = reasonToSkip(this, definition, event);
    if (reason) return answer(200, { skipped: reason });
    const output = { id: event.identity, ...shape(definition, event.payload) };
    return { workflowData: [[{ json: output }]], webhookResponse: { accepted: true } };
  }
}

module.exports = { ChatForgeTrigger };
