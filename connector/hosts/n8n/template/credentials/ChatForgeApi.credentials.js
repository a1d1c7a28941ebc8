'use strict';

const { account, forms } = require('../lib/definitions.json');

// A header with the fields of the credential, as an expression of n8n.
const expressionOf = (value) => `=${value.replace(/\{(\w+)\}/g, (_, name) => `{{$credentials.${name}}}`)}`;

class ChatForgeApi {
  name = 'chatForgeApi';
  displayName = 'ChatForge API';
  icon = 'file:../nodes/ChatForge/chatforge.svg';
  documentationUrl = 'https://chatforge.aiedge247.com';
  properties = forms.credential;

  // For the HTTP Request node, which can use the credential too.
  authenticate = {
    type: 'generic',
    properties: {
      headers: Object.fromEntries(Object.entries(account.headers).map(([name, value]) => [name, expressionOf(value)])),
    },
  };
}

module.exports = { ChatForgeApi };
