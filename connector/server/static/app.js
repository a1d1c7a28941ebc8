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
  return Boolean(writes || document.querySelector('#live details[open], #live input:checked'));
};

// A box that ticks all others with a name.
document.addEventListener('change', (event) => {
  const name = event.target.dataset.ticks;
  if (name) event.target.form.querySelectorAll(`[name=${name}]`).forEach((one) => { one.checked = event.target.checked; });
});

// The graph of a run stays where somebody has moved it.
let moved = null;
document.addEventListener('htmx:beforeSwap', () => {
  const graph = document.querySelector('.graph');
  moved = graph && [graph.scrollLeft, graph.scrollTop];
});
document.addEventListener('htmx:afterSwap', () => {
  const graph = document.querySelector('.graph');
  if (graph && moved) graph.scrollTo(...moved);
});
