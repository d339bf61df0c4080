// The service worker: the page without a network, and in the one context in which its threads may share memory.
// vcam web writes FILES and VERSION in front of this; a folder that is made anew has another version.
/* global FILES, VERSION */
const OURS = `vcam page ${registration.scope} `;
const CACHE = `${OURS}${VERSION}`;
// twice as large as what everybody needs: kept once it was asked for
const LATER = /\/(ort\.webgpu|ort-wasm-simd-threaded\.asyncify)[^/]*$/;

// A newer version waits until all pages of this one are closed: no page gets files of two.
self.addEventListener("install", (event) => {
  const wanted = FILES.filter((name) => !LATER.test(`/${name}`));
  // past the browser's own cache: it may hold the files of another version
  const fresh = ["./", ...wanted].map((name) => new Request(name, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(OURS) && name !== CACHE).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

function isolated(answer) {
  const headers = new Headers(answer.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const path = new URL(request.url).pathname;
  const kept = await cache.match(path, { ignoreSearch: true });
  if (kept) return isolated(kept);
  const found = await fetch(request);
  if (found.ok && LATER.test(path)) await cache.put(path, found.clone());
  return isolated(found);
}

// A port of this machine is another program's tomorrow, and that one's pages are not to be hidden by this one. Elsewhere an
// address belongs to who put the page there.
const BORROWED = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
let over = false;
const MARK = 'content="Another background for your camera';
// Bytes at the page's beginning that hold it, and milliseconds in which they come: another program's page may have no end.
const HEAD = 4096;
const PATIENCE = 2000;

async function isOurs(found) {
  const reader = found.clone().body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.length < HEAD && !text.includes(MARK)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
  }
  reader.cancel().catch(() => {});
  return text.includes(MARK);
}

async function visit(request) {
  const found = await fetch(request).catch(() => null);
  if (!found) return answer(request);
  // an error, a file or a film says nothing of whose the port is, and is shown as it comes
  if (!found.ok || !found.body || !/^text\/html\b/i.test(found.headers.get("content-type") ?? "")) return found;
  const late = new Promise((tell) => setTimeout(tell, PATIENCE, null));
  const ours = await Promise.race([isOurs(found).catch(() => null), late]);
  if (ours === null) return found;
  if (ours) return answer(request);
  over = true;
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(OURS)).map((name) => caches.delete(name)));
  await registration.unregister();
  return found;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (over) return;
  if (BORROWED && request.mode === "navigate") event.respondWith(visit(request));
  else if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});
