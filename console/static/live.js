// Keeps a page as new as the store, and sends its forms without leaving it. Without this script both work by reload.
"use strict";

const announce = (words, place = "announcer") => { document.getElementById(place).textContent = words; };

// Put a fetched page's content in place of this one's, and give the focus back: to the first of some elements that is
// still there, or to the content. Without any, to where it was.
function swap(html, url, after = []) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const next = page.getElementById("content");
  const now = document.getElementById("content");
  const wanted = now.contains(document.activeElement) ? [document.activeElement.id, ...after] : after;
  const open = [...now.querySelectorAll("details")].map((one) => one.open);
  if (url) history.replaceState(null, "", url);
  now.replaceChildren(...next.childNodes);
  now.querySelectorAll("details").forEach((one, place) => { one.open = Boolean(open[place]); });
  const nav = page.querySelector("header nav");
  if (nav) document.querySelector("header nav").replaceChildren(...nav.childNodes);
  document.dispatchEvent(new Event("swapped"));
  if (wanted.length) {
    const there = wanted.map((id) => id && document.getElementById(id)).find(Boolean);
    (there || now).focus({ preventScroll: true });
  }
}

// What a page's content says, without the note on what was just done. Of the page itself and not of a copy: the charts
// have set styles on it, which a copy would apply anew, and the page's policy forbids that.
function words(content) {
  const note = content.querySelector("#note");
  const all = note ? content.textContent.replace(note.textContent, "") : content.textContent;
  return all.replace(/\s+/g, " ");
}

function editing() {
  return document.activeElement && document.activeElement.matches("select, input");
}

async function refresh() {
  if (editing() || document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const html = await answer.text();
  const next = new DOMParser().parseFromString(html, "text/html").getElementById("content");
  if (words(next) === words(document.getElementById("content"))) return;
  const note = document.getElementById("note"); // what was just done stays to be read
  swap(html);
  if (note) document.getElementById("content").prepend(note);
  announce("The page was brought up to date.", "refreshed");
}

async function send(event) {
  const form = event.target.closest("form[data-swap]");
  if (!form) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const after = [event.submitter?.id, form.dataset.after]; // a disabled button loses the focus
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields });
    const html = await answer.text();
    swap(html, answer.ok ? answer.url.replace(/([?&])note=\w+&?/, "$1").replace(/[?&]$/, "") : null, after);
    const note = document.getElementById("note");
    announce(note ? note.textContent : "This did not work.");
  } catch {
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    announce("This did not work: the console cannot be reached.");
  }
}

function listen() {
  const light = document.getElementById("live");
  const source = new EventSource("/api/v1/events");
  source.addEventListener("open", () => {
    if (light.className === "live off") refresh(); // what came meanwhile
    light.className = "live on";
    light.textContent = "Updates by itself while it is open.";
  });
  source.addEventListener("error", () => {
    light.className = "live off";
    light.textContent = "Not connected; trying again.";
  });
  source.addEventListener("changed", refresh);
  window.addEventListener("pagehide", () => source.close());
}

document.addEventListener("submit", send);
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", listen);
else listen();
