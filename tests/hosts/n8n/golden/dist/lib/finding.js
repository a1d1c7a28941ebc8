// Finds the items of a list that match, in few requests and never more pages than allowed: at the end where new ones are.
'use strict';

const PAGE = 50;
const MARGIN = 10; // of the last page, left for items that came after they were counted
const EVIDENCE = 8; // fewer items may stand in order by chance

// Milliseconds; a time without an offset is UTC. NaN where there is none.
const timeOf = (text) => Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) || !/T/.test(text) ? text : `${text}Z`);

const hasTime = (item) => !Number.isNaN(timeOf(item.created_at));

// The order that the items stand in, where they show one. Ties are fine, a missing time is not.
const orderOf = (items) => {
  const times = items.filter(hasTime).map((item) => timeOf(item.created_at));
  if (times.length < Math.max(items.length, EVIDENCE) || times[0] === times[times.length - 1]) return null;
  if (times.every((time, index) => !index || times[index - 1] <= time)) return 'oldest first';
  return times.every((time, index) => !index || times[index - 1] >= time) ? 'newest first' : null;
};

// One look at a list. `source.page(offset)` is a page of it, `source.count()` about how many items it has.
class Search {
  constructor(source, matches, pages, isDecisive) {
    Object.assign(this, { source, matches, pagesLeft: pages, isDecisive, seen: new Map() });
  }

  async run() {
    const complete = await this.lookFromTheStart();
    return { items: [...this.seen.values()].filter(this.matches), complete };
  }

  // Whether nothing newer can follow.
  async lookFromTheStart() {
    const walked = new Map();
    for (let offset = 0; this.pagesLeft; ) {
      const page = await this.take(offset);
      const known = walked.size;
      for (const item of page) walked.set(item.id, item);
      if (walked.size === known) return !page.length; // a repeated page means that `offset` has no effect
      offset += page.length;
      const items = [...walked.values()];
      if (orderOf(items) === 'oldest first' && this.pagesLeft) {
        const count = await this.count();
        if (count !== null) return this.lookFromTheEnd(offset, count);
      }
      if (this.hasPassedAMatch(items)) return true;
    }
    return false;
  }

  // Of an oldest-first list of which `walked` items were seen: whether nothing newer can stand elsewhere.
  async lookFromTheEnd(walked, count) {
    let start = Math.max(walked, count - PAGE + MARGIN);
    let tail = await this.takeSpan(start, null);
    if (tail && !tail.length && start > walked) {
      start = walked; // there are fewer than counted
      tail = await this.takeSpan(start, null);
    }
    while (tail) {
      if (orderOf(tail) === 'newest first') return false; // the order was learned by chance
      if (start <= walked || this.hasPassedAMatch([...tail].reverse())) return true;
      const end = start;
      start = Math.max(walked, start - PAGE);
      const span = await this.takeSpan(start, end);
      tail = span && [...span, ...tail];
    }
    return false;
  }

  // The items from `start` on until `end`, or until an empty page; null where there were too many for `pagesLeft`.
  async takeSpan(start, end) {
    const items = [];
    while (end === null || start + items.length < end) {
      const known = this.seen.size;
      const page = this.pagesLeft ? await this.take(start + items.length) : null;
      if (!page || (page.length && this.seen.size === known)) return null;
      if (!page.length) break;
      items.push(...page);
    }
    return items;
  }

  // Asked once: an answer without a number has none the next time either.
  async count() {
    if (this.isCounted) return null;
    this.isCounted = true;
    return this.source.count();
  }

  async take(offset) {
    this.pagesLeft -= 1;
    const page = await this.source.page(offset);
    for (const item of page) this.seen.set(item.id, item);
    return page;
  }

  // Whether there is a match, and in the order of the list something older after it.
  hasPassedAMatch(newestFirst) {
    const found = newestFirst.filter(this.matches);
    if (this.isDecisive && found.length) return true;
    if (!newestFirst.length || orderOf(newestFirst) !== 'newest first') return false;
    const last = timeOf(newestFirst[newestFirst.length - 1].created_at);
    return found.some((item) => timeOf(item.created_at) > last);
  }
}

// The item that was made last; one without a time counts as old.
const newest = (items) => {
  const age = (item) => (hasTime(item) ? timeOf(item.created_at) : -Infinity);
  return items.reduce((best, item) => (best && age(best) >= age(item) ? best : item), null);
};

module.exports = { PAGE, Search, hasTime, newest, timeOf };
