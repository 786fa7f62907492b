// On a page that could not be shown: asks every few seconds whether the store answers again, then loads the page.
"use strict";

async function retry() {
  try {
    if ((await fetch("/api/v1/ready")).ok) location.reload();
  } catch {
    // the console itself is away: ask again
  }
}

setInterval(retry, 3000);
