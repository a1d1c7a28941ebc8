// Tells the page when something has changed; htmx then fetches the part that is shown.
'use strict';

const changes = new EventSource('/changes');
changes.addEventListener('changed', () => {
  if (document.hidden || isBusy()) return;
  document.body.dispatchEvent(new Event('changed'));
});

// What a person has opened or is writing stays as it is.
const isBusy = () => {
  const focused = document.activeElement;
  const writes = focused && focused.closest('#live') && ['INPUT', 'TEXTAREA', 'SELECT'].includes(focused.tagName);
  return Boolean(writes || document.querySelector('#live details[open]'));
};
