"""Analytics over time: samples of Get Analytics, which tells of the current month only, and what has changed since."""
