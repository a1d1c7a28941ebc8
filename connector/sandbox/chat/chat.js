// Plays the chat window of a website: it asks for the conversation every half second.
'use strict';

const LOOK_EVERY = 500; // ms

const post = async (path, body) => {
  const answer = await fetch(path, { method: 'POST', body: JSON.stringify(body) });
  const given = await answer.json();
  if (!answer.ok) throw new Error(given.error || `status ${answer.status}`);
  return given;
};

const messages = document.getElementById('messages');
const note = document.getElementById('note');
let conversation = null;

const show = ({ role, content, injected }) => {
  const line = document.createElement('li');
  line.className = injected ? 'person' : role;
  const who = document.createElement('span');
  who.className = 'who';
  who.textContent = injected ? 'A person of the team' : role === 'user' ? 'You' : 'The agent';
  const text = document.createElement('span');
  text.textContent = content;
  line.append(who, text);
  messages.append(line);
  line.scrollIntoView({ block: 'end' });
};

const look = async () => {
  if (!conversation) return;
  const chat = await (await fetch(`/sandbox/conversations/${conversation}`)).json();
  chat.messages.slice(messages.children.length).forEach(show);
};

const begin = async () => {
  conversation = conversation || (await post('/chat', {})).conversation_id;
  return conversation;
};

const onSubmit = (form, work) =>
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      await work(Object.fromEntries(new FormData(form)), await begin());
      await look();
    } catch (error) {
      note.textContent = error.message;
    }
  });

const say = document.getElementById('say');
onSubmit(say, async ({ content }, id) => {
  say.reset();
  await post(`/chat/${id}/messages`, { content });
});

const leave = document.getElementById('leave');
onSubmit(leave, async (given, id) => {
  await post(`/chat/${id}/lead`, Object.fromEntries(Object.entries(given).filter(([, value]) => value)));
  leave.hidden = true;
  note.textContent = 'Thank you. You are a lead now.';
});

begin().then(look);
setInterval(() => look().catch(() => {}), LOOK_EVERY);
