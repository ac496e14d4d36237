// All that moves. Without it every page works the same, and stands still.
"use strict";

// ← and → to the neighbours, except where they move a cursor or scroll something.
addEventListener("keydown", (event) => {
  const way = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const busy = event.target.closest("input, select, textarea, summary, .scroll");
  if (!way || busy || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  document.querySelector(`main a[rel=${way}]`)?.click();
});

// A page that moves asks for itself again; the server answers 304 until something has changed.
const seconds = Number(document.body.dataset.moves);
if (seconds) {
  let asking = false;
  const again = async () => {
    if (document.hidden || asking) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of ["main", "footer"]) become(document.querySelector(part), fresh.querySelector(part));
        if (document.title !== fresh.title) document.title = fresh.title;
      }
    } catch {
      // The server has stopped, or sleeps: what is shown stays, and its "as of" with it.
    }
    asking = false;
  };
  setInterval(again, seconds * 1000);
  addEventListener("visibilitychange", again);
}

// Make `old` like `fresh`, keeping every element that can stay, so that focus, open tables and growing bars do.
function become(old, fresh) {
  if (!old || !fresh || old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  const kept = old.nodeName === "DETAILS" ? "open" : "";
  for (const { name } of [...old.attributes]) if (name !== kept && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const olds = [...old.childNodes];
  const freshes = [...fresh.childNodes];
  freshes.forEach((child, number) => {
    if (olds[number]) become(olds[number], child);
    else old.append(document.importNode(child, true));
  });
  olds.slice(freshes.length).forEach((child) => child.remove());
}
